import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Connection, type ConnectionState, type Socket } from "../src/connection";

class FakeSocket implements Socket {
  binaryType = "blob";
  readyState = 0;
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  readonly sent: unknown[] = [];
  closed = false;

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(): void {
    this.closed = true;
  }

  opens(): void {
    this.readyState = 1;
    this.onopen?.({} as Event);
  }

  delivers(data: string): void {
    this.onmessage?.({ data } as MessageEvent);
  }

  drops(code: number): void {
    this.readyState = 3;
    this.onclose?.({ code } as CloseEvent);
  }
}

function start() {
  const sockets: FakeSocket[] = [];
  const states: ConnectionState[] = [];
  const received: unknown[] = [];
  const login = { answer: "known" as "known" | "unknown" | "unreachable" };
  const connection = new Connection(
    {
      open: () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket;
      },
      checkLogin: () => Promise.resolve(login.answer),
    },
    { state: (state) => states.push(state), message: (data) => received.push(data) },
  );
  connection.connect();
  const last = (): FakeSocket => {
    const socket = sockets.at(-1);
    if (socket === undefined) throw new Error("no socket was opened");
    return socket;
  };
  return { connection, sockets, states, received, login, last };
}

const names = (states: readonly ConnectionState[]): string[] => states.map((it) => it.name);

describe("connection", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("opens, reports and delivers", () => {
    const { states, received, last } = start();
    expect(last().binaryType).toBe("arraybuffer");
    last().opens();
    last().delivers("hello");
    expect(names(states)).toEqual(["connecting", "live"]);
    expect(received).toEqual(["hello"]);
  });

  it("comes back after a drop, with growing pauses up to a limit", async () => {
    const { sockets, states, last } = start();
    for (const pause of [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
      const opened = sockets.length;
      last().drops(1006);
      await vi.advanceTimersByTimeAsync(pause - 1);
      expect(sockets).toHaveLength(opened);
      await vi.advanceTimersByTimeAsync(1);
      expect(sockets).toHaveLength(opened + 1);
    }
    expect(names(states).slice(0, 3)).toEqual(["connecting", "waiting", "connecting"]);
  });

  it("starts with the short pause again once a socket delivered", async () => {
    const { states, last } = start();
    last().drops(1006);
    await vi.advanceTimersByTimeAsync(500);
    last().opens();
    last().drops(1006);
    await vi.advanceTimersByTimeAsync(1_000);
    last().opens();
    last().delivers("attached");
    last().drops(1006);
    await vi.advanceTimersByTimeAsync(0);
    expect(states.flatMap((it) => (it.name === "waiting" ? [it.delay] : []))).toEqual([500, 1_000, 500]);
  });

  it("gives up an attempt that never opens", async () => {
    const { sockets, states } = start();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sockets[0]?.closed).toBe(true);
    expect(names(states)).toEqual(["connecting", "waiting"]);
  });

  it.each([1000, 1008, 4404])("is over after code %i", async (code) => {
    const { connection, sockets, states, last } = start();
    last().opens();
    last().drops(code);
    await vi.runAllTimersAsync();
    connection.connect();
    expect(sockets).toHaveLength(1);
    expect(states.at(-1)).toEqual({ name: "ended", code });
  });

  it("asks for a login when the host does not know the browser", async () => {
    const { sockets, states, login, last } = start();
    login.answer = "unknown";
    last().drops(1006);
    await vi.runAllTimersAsync();
    expect(sockets).toHaveLength(1);
    expect(states.at(-1)?.name).toBe("login_needed");
  });

  it("keeps trying while the host is away", async () => {
    const { sockets, login, last } = start();
    login.answer = "unreachable";
    last().drops(1006);
    await vi.advanceTimersByTimeAsync(500);
    expect(sockets).toHaveLength(2);
  });

  it("sends only while open and keeps nothing for later", async () => {
    const { connection, sockets, last } = start();
    expect(connection.send("early")).toBe(false);
    last().opens();
    expect(connection.send("now")).toBe(true);
    last().drops(1006);
    expect(connection.send("late")).toBe(false);
    await vi.advanceTimersByTimeAsync(500);
    last().opens();
    expect(sockets.map((it) => it.sent)).toEqual([["now"], []]);
  });

  it("does not listen to a socket it has given up", async () => {
    const { connection, sockets, received, last } = start();
    last().opens();
    const old = last();
    connection.restart();
    expect(old.closed).toBe(true);
    old.delivers("late");
    old.drops(1000);
    await vi.advanceTimersByTimeAsync(500);
    expect(sockets).toHaveLength(2);
    expect(received).toEqual([]);
  });

  it("can be told to try at once", async () => {
    const { connection, sockets, last } = start();
    last().drops(1006);
    await vi.advanceTimersByTimeAsync(1);
    connection.connect();
    expect(sockets).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(sockets).toHaveLength(2);
  });
});
