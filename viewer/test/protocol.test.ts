import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import {
  type Answer,
  type ApprovalAnswer,
  type ClientMessage,
  type ControlRequest,
  LARGEST_TYPED_MESSAGE,
  parseHistory,
  parseOutputFrame,
  parseSearchFound,
  parseServerMessage,
  ProtocolError,
  type ServerMessage,
  typedFrames,
  writeClientMessage,
} from "../src/protocol";

const FIXTURES = new URL("../protocol/", import.meta.url);
const names = readdirSync(FIXTURES);
const read = (name: string): string => readFileSync(new URL(name, FIXTURES), "utf8");

/** A new message does not compile until it is named here, and does not pass without its fixture. */
const SERVER: Record<ServerMessage["type"], true> = {
  sessions: true, questions: true, approvals: true, plugins: true, attached: true, resized: true, summary: true, timeline: true, command: true, closed: true, error: true, pong: true,
};
const CLIENT: { [T in ClientMessage["type"]]: Extract<ClientMessage, { type: T }> } = {
  ping: { type: "ping", id: 7 },
  ack: { type: "ack", offset: 131_072 },
};

const ANSWERS: { [T in Answer["type"]]: Extract<Answer, { type: T }> } = {
  answers: { type: "answers", answers: ['a "word"', "123456"] },
  trust: { type: "trust", fingerprint: "SHA256:ohx4aWfrpMPd4Y2lJ5zJp2BqZ0Xf6nqTn2q3b8dQm1E" },
  refuse: { type: "refuse" },
};

const DIGEST = "9b74c9897bac770ffc029102a200c5de8f2b3a1f6e0d4c7b5a69788796a5b4c3";
const APPROVALS: { [T in ApprovalAnswer["type"]]: Extract<ApprovalAnswer, { type: T }> } = {
  allow_once: { type: "allow_once", digest: DIGEST },
  allow_rule: { type: "allow_rule", digest: DIGEST },
  deny: { type: "deny", digest: DIGEST, reason: "not on a Friday" },
};

const CONTROLS: { [T in ControlRequest["type"]]: Extract<ControlRequest, { type: T }> } = {
  take: { type: "take", force: true },
  hand_over: { type: "hand_over" },
  mode: { type: "mode", mode: "common" },
  interrupt: { type: "interrupt" },
  close: { type: "close" },
  policy_mode: { type: "policy_mode", mode: "full" },
};

describe("messages", () => {
  it("has a fixture for each message and a message for each fixture", () => {
    const wanted = [
      ...Object.keys(SERVER).map((type) => `server_${type}.json`),
      ...Object.keys(CLIENT).map((type) => `client_${type}.json`),
      ...Object.keys(ANSWERS).map((type) => `answer_${type}.json`),
      ...Object.keys(APPROVALS).map((type) => `approval_${type}.json`),
      ...Object.keys(CONTROLS).map((type) => `control_${type}.json`),
      "history.json",
      "search.json",
      "output_frame.json",
    ];
    expect([...names].sort()).toEqual(wanted.sort());
  });

  it.each(Object.keys(SERVER))("reads %s without losing a field", (type) => {
    const text = read(`server_${type}.json`);
    expect(parseServerMessage(text)).toEqual(JSON.parse(text));
  });

  it.each(Object.values(CLIENT))("writes $type as the fixture has it", (message) => {
    expect(JSON.parse(writeClientMessage(message))).toEqual(JSON.parse(read(`client_${message.type}.json`)));
  });

  it.each(Object.values(ANSWERS))("answers with $type as the fixture has it", (answer) => {
    expect(answer).toEqual(JSON.parse(read(`answer_${answer.type}.json`)));
  });

  it.each(Object.values(APPROVALS))("decides with $type as the fixture has it", (answer) => {
    expect(answer).toEqual(JSON.parse(read(`approval_${answer.type}.json`)));
  });

  it.each(Object.values(CONTROLS))("asks for $type as the fixture has it", (request) => {
    expect(request).toEqual(JSON.parse(read(`control_${request.type}.json`)));
  });

  it("reads past sessions, and refuses one with any field missing or of another kind", () => {
    const whole = JSON.parse(read("history.json")) as { sessions: Record<string, unknown>[] };
    expect(parseHistory(whole)).toEqual(whole.sessions);
    for (const session of whole.sessions) {
      for (const field of Object.keys(session)) {
        const { [field]: _, ...rest } = session;
        expect(() => parseHistory({ sessions: [rest] }), field).toThrow(ProtocolError);
        expect(() => parseHistory({ sessions: [{ ...session, [field]: {} }] }), field).toThrow(ProtocolError);
      }
    }
  });

  it("reads what a search has found, and refuses a hit with any field missing or of another kind", () => {
    const whole = JSON.parse(read("search.json")) as { hits: Record<string, unknown>[] };
    expect(parseSearchFound(whole)).toEqual(whole);
    for (const hit of whole.hits) {
      for (const field of Object.keys(hit)) {
        const { [field]: _, ...rest } = hit;
        expect(() => parseSearchFound({ ...whole, hits: [rest] }), field).toThrow(ProtocolError);
        expect(() => parseSearchFound({ ...whole, hits: [{ ...hit, [field]: true }] }), field).toThrow(ProtocolError);
      }
    }
  });

  it("refuses a command of the timeline with any field missing or of another kind", () => {
    const { commands } = JSON.parse(read("server_timeline.json")) as { commands: Record<string, unknown>[] };
    for (const command of commands) {
      for (const field of Object.keys(command)) {
        const { [field]: _, ...rest } = command;
        const damaged = (part: Record<string, unknown>) => JSON.stringify({ type: "timeline", commands: [part] });
        expect(() => parseServerMessage(damaged(rest)), field).toThrow(ProtocolError);
        expect(() => parseServerMessage(damaged({ ...command, [field]: true })), field).toThrow(ProtocolError);
      }
    }
  });

  it("refuses an approval with any field missing or of another kind", () => {
    const whole = JSON.parse(read("server_approvals.json")) as { approvals: Record<string, unknown>[] };
    for (const approval of whole.approvals) {
      const damaged = (part: Record<string, unknown>) => JSON.stringify({ ...whole, approvals: [part] });
      for (const field of Object.keys(approval)) {
        const { [field]: _, ...rest } = approval;
        expect(() => parseServerMessage(damaged(rest)), `${field} missing`).toThrow(ProtocolError);
        expect(() => parseServerMessage(damaged({ ...approval, [field]: true })), `${field} true`).toThrow(ProtocolError);
      }
      for (const cause of approval["causes"] as Record<string, unknown>[]) {
        for (const field of Object.keys(cause)) {
          const broken = { ...approval, causes: [{ ...cause, [field]: true }] };
          expect(() => parseServerMessage(damaged(broken)), `cause ${field}`).toThrow(ProtocolError);
        }
        for (const span of [[1], [1, 2, 3], [-1, 2], ["0", 1]]) {
          expect(() => parseServerMessage(damaged({ ...approval, causes: [{ ...cause, span }] }))).toThrow(ProtocolError);
        }
      }
    }
  });

  it("refuses a question with any field missing or of another kind", () => {
    const whole = JSON.parse(read("server_questions.json")) as { questions: Record<string, unknown>[] };
    for (const question of whole.questions) {
      const damaged = (part: Record<string, unknown>) => JSON.stringify({ ...whole, questions: [part] });
      for (const field of Object.keys(question)) {
        const { [field]: _, ...rest } = question;
        expect(() => parseServerMessage(damaged(rest)), `${field} missing`).toThrow(ProtocolError);
      }
      const wanted = question["wanted"] as Record<string, unknown>;
      for (const field of Object.keys(wanted)) {
        const broken = { ...question, wanted: { ...wanted, [field]: 7 } };
        expect(() => parseServerMessage(damaged(broken)), `${String(wanted["kind"])} ${field}`).toThrow(ProtocolError);
      }
    }
  });

  it.each(Object.keys(SERVER))("refuses %s with any field missing or of another kind", (type) => {
    const whole = JSON.parse(read(`server_${type}.json`)) as Record<string, unknown>;
    for (const field of Object.keys(whole)) {
      const { [field]: _, ...rest } = whole;
      expect(() => parseServerMessage(JSON.stringify(rest)), `${field} missing`).toThrow(ProtocolError);
      expect(() => parseServerMessage(JSON.stringify({ ...whole, [field]: true })), `${field} true`).toThrow(ProtocolError);
    }
  });

  it.each(["", "null", "[]", "{", '{"type":"__proto__"}', '{"type":"resized","columns":0,"rows":1}',
    '{"type":"resized","columns":65536,"rows":1}', '{"type":"resized","columns":-1,"rows":1}',
    '{"type":"pong","id":1e300}', '{"type":"pong","id":0.5}'])("refuses %s", (text) => {
    expect(() => parseServerMessage(text)).toThrow(ProtocolError);
  });
});

describe("output frames", () => {
  it("are read as the fixture has them", () => {
    const fixture = JSON.parse(read("output_frame.json")) as { offset: number; payload: number[]; frame: number[] };
    const { offset, bytes } = parseOutputFrame(Uint8Array.from(fixture.frame).buffer);
    expect(offset).toBe(fixture.offset);
    expect([...bytes]).toEqual(fixture.payload);
  });

  it("are refused when cut off or impossible", () => {
    expect(() => parseOutputFrame(new ArrayBuffer(7))).toThrow(ProtocolError);
    expect(() => parseOutputFrame(new Uint8Array(9).fill(255).buffer)).toThrow(ProtocolError);
  });
});

describe("typed bytes", () => {
  it("are split below the host's limit and lose nothing", () => {
    const bytes = Uint8Array.from({ length: 3 * LARGEST_TYPED_MESSAGE + 5 }, (_, at) => at % 251);
    const frames = typedFrames(bytes);
    expect(frames.map((it) => it.length)).toEqual([LARGEST_TYPED_MESSAGE, LARGEST_TYPED_MESSAGE, LARGEST_TYPED_MESSAGE, 5]);
    expect(Uint8Array.from(frames.flatMap((it) => [...it]))).toEqual(bytes);
    expect(typedFrames(new Uint8Array(0))).toEqual([]);
  });
});
