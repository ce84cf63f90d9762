/** Opens a WebSocket by hand, with headers that no browser would let a page choose. */

import { randomBytes } from "node:crypto";
import http from "node:http";

/** Answers the HTTP status: 101 where the server agreed. The socket is closed again at once. */
export function upgradeStatus(origin, path, headers) {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const request = http.request({
      hostname,
      port,
      path,
      timeout: 5_000,
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": randomBytes(16).toString("base64"),
        ...headers,
      },
    });
    request.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response.statusCode);
    });
    request.on("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("timeout", () => request.destroy(new Error("no answer to the upgrade within 5 s")));
    request.on("error", reject);
    request.end();
  });
}
