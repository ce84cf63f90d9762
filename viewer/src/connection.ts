/**
 * A WebSocket that comes back: opens, reports, and after a drop opens again with growing pauses,
 * until the host says that there is nothing more to come or that a login is needed.
 *
 * It knows no message and no page. Time, sockets and the login check come from outside, so that
 * tests can play them.
 */

/** The part of `WebSocket` that is used. */
export interface Socket {
  binaryType: string;
  readonly readyState: number;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

export type ConnectionState =
  | { readonly name: "connecting" }
  | { readonly name: "live" }
  /** Dropped; the next attempt follows after `delay` milliseconds. */
  | { readonly name: "waiting"; readonly delay: number }
  /** Over for good: the host ended the conversation, or the page did. */
  | { readonly name: "ended"; readonly code: number }
  | { readonly name: "login_needed" };

export interface ConnectionEvents {
  state(state: ConnectionState): void;
  message(data: string | ArrayBuffer): void;
}

/** Whether the host answers and, if so, whether it knows this browser. */
export type Login = "known" | "unknown" | "unreachable";

export interface ConnectionTools {
  open(): Socket;
  checkLogin(): Promise<Login>;
}

/** Normal end, protocol broken, no such session: asking again would give the same answer. */
const FINAL_CODES: ReadonlySet<number> = new Set([1000, 1008, 4404]);

const FIRST_DELAY = 500;
const LONGEST_DELAY = 10_000;
/** An attempt that does not open within this many milliseconds is given up. */
const OPEN_TIME = 10_000;
/** `WebSocket.OPEN`. */
const OPEN = 1;

export class Connection {
  #socket: Socket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #delay = FIRST_DELAY;
  #over = false;

  constructor(
    private readonly tools: ConnectionTools,
    private readonly events: ConnectionEvents,
  ) {}

  /** Opens the socket. Also cuts a pause short, for example when the network is back. */
  connect(): void {
    if (this.#over || this.#socket !== undefined) return;
    clearTimeout(this.#timer);
    const socket = this.tools.open();
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      clearTimeout(this.#timer);
      this.events.state({ name: "live" });
    };
    socket.onmessage = (event) => {
      // Only a socket that delivers is a good one; opening alone does not reset the pauses.
      this.#delay = FIRST_DELAY;
      this.events.message(event.data as string | ArrayBuffer);
    };
    socket.onclose = (event) => void this.#dropped(socket, event.code);
    this.#timer = setTimeout(() => void this.#dropped(socket, 1006), OPEN_TIME);
    this.events.state({ name: "connecting" });
  }

  /** Sends if the socket is open; says whether it did. Nothing is kept for later. */
  send(data: string | Uint8Array<ArrayBuffer>): boolean {
    if (this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(data);
    return true;
  }

  /** Drops the socket and opens another one, to start from a fresh snapshot. */
  restart(): void {
    if (this.#socket !== undefined) void this.#dropped(this.#socket, 1006);
  }

  /** Ends for good. */
  stop(code: number): void {
    this.#over = true;
    this.#release();
    this.events.state({ name: "ended", code });
  }

  async #dropped(socket: Socket, code: number): Promise<void> {
    if (socket !== this.#socket) return;
    this.#release();
    if (FINAL_CODES.has(code)) {
      this.stop(code);
      return;
    }
    const delay = this.#delay;
    this.#delay = Math.min(delay * 2, LONGEST_DELAY);
    this.events.state({ name: "waiting", delay });
    // A refused upgrade looks like a lost network to a page, so it has to ask.
    const login = await this.tools.checkLogin();
    if (this.#over || this.#socket !== undefined) return;
    if (login === "unknown") {
      this.#over = true;
      this.events.state({ name: "login_needed" });
      return;
    }
    this.#timer = setTimeout(() => this.connect(), delay);
  }

  #release(): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }
}
