/** Looks over a page's shoulder: what it asks for, what goes wrong in it, what its terminal receives. */

/** Makes a breach of the content policy visible as an error of the page. */
export function reportBreaches() {
  document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`content policy breached: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
  });
}

export class PageWatch {
  /** Errors, warnings and breaches of the content policy. */
  problems = [];
  /** Requests and sockets that lead anywhere but to the viewer's own server. */
  strangers = [];
  traffic = new TerminalTraffic();

  constructor(page, origin) {
    const { host } = new URL(origin);
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.problems.push(message.text());
    });
    page.on("pageerror", (error) => this.problems.push(String(error.stack ?? error)));
    page.on("request", (request) => {
      if (new URL(request.url()).origin !== origin) this.strangers.push(request.url());
    });
    page.on("websocket", (socket) => {
      if (new URL(socket.url()).host !== host) this.strangers.push(socket.url());
      if (new URL(socket.url()).pathname.endsWith("/terminal")) this.traffic.follow(socket);
    });
  }
}

/** The bytes a terminal's page received: output before the screen, the screen, and the live output after it. */
export class TerminalTraffic {
  /** Absolute offset of the first byte of output, and of the first one that has not come yet. */
  start = 0;
  end = 0;
  /** How often output was passed over without a new snapshot. */
  gaps = 0;
  #parts = [];
  /** Where the screen is due that has not come yet. */
  #screenAt = undefined;

  follow(socket) {
    socket.on("framereceived", ({ payload }) => (typeof payload === "string" ? this.#text(payload) : this.#binary(payload)));
  }

  /** The output since the last attachment that did not go on from an earlier one, as one piece. */
  get output() {
    return Buffer.concat(this.#parts);
  }

  #text(payload) {
    const message = JSON.parse(payload);
    if (message.type !== "attached" || message.cause === "resumed") return;
    this.start = message.history_from;
    this.end = message.history_from;
    this.#parts = [];
    this.#screenAt = message.offset;
  }

  #binary(payload) {
    const offset = Number(payload.readBigUInt64BE(0));
    const bytes = payload.subarray(8);
    if (this.#screenAt === this.end && offset === this.end) {
      this.#screenAt = undefined;
      return;
    }
    if (offset > this.end) this.gaps += 1;
    // Output that the snapshot already held may come again; the offset says how much of it.
    const fresh = bytes.subarray(Math.max(0, this.end - offset));
    this.#parts.push(fresh);
    this.end += fresh.length;
  }
}

/** What both pages received live, cut to the range of offsets that both have. */
export function commonOutput(left, right) {
  const from = Math.max(left.start, right.start);
  const to = Math.max(from, Math.min(left.end, right.end));
  const cut = (traffic) => traffic.output.subarray(from - traffic.start, to - traffic.start);
  return [cut(left), cut(right)];
}
