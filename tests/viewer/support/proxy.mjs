/** A proxy in front of the viewer: it says who a person is, in a header of its own. */

import http from "node:http";
import net from "node:net";
import { once } from "node:events";

export class Proxy {
  #server;
  /** Whom it names; nobody where undefined. */
  user;

  /** Takes a free port; where it leads to is told later, when the viewer knows this one's name. */
  static async start(secret) {
    const proxy = new Proxy();
    proxy.secret = secret;
    proxy.#server = http.createServer((request, answer) => {
      const passed = http.request({ host: "127.0.0.1", port: proxy.target, method: request.method, path: request.url, headers: proxy.#headers(request) }, (back) => {
        answer.writeHead(back.statusCode, back.headers);
        back.pipe(answer);
      });
      passed.on("error", () => answer.destroy());
      request.pipe(passed);
    });
    proxy.#server.on("upgrade", (request, socket, head) => {
      const passed = net.connect(proxy.target, "127.0.0.1", () => {
        const lines = Object.entries(proxy.#headers(request)).map(([name, value]) => `${name}: ${value}\r\n`);
        passed.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join("")}\r\n`);
        passed.write(head);
        passed.pipe(socket).pipe(passed);
      });
      passed.on("error", () => socket.destroy());
      socket.on("error", () => passed.destroy());
    });
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get name() {
    return `127.0.0.1:${this.#server.address().port}`;
  }

  get origin() {
    return `http://${this.name}`;
  }

  /** What a browser says of itself is dropped, as a proxy has to. */
  #headers(request) {
    const { "x-forwarded-user": _, "x-portcullis-proxy-secret": __, ...headers } = request.headers;
    return { ...headers, "x-portcullis-proxy-secret": this.secret, ...(this.user === undefined ? {} : { "x-forwarded-user": this.user }) };
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
