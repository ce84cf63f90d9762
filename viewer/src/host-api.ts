/** The few plain HTTP requests of the page, and the addresses of its sockets. */

import type { Login, Socket } from "./connection";
import type { Answer, ApprovalAnswer } from "./protocol";
import type { Answered } from "./questions";

const LOGIN = "/api/v1/login";
const SESSIONS = "/api/v1/sessions";
const QUESTIONS = "/api/v1/questions";
const APPROVALS = "/api/v1/approvals";

/** Takes the launch's token out of the address, so that it is not seen, kept or shared by accident. */
export function takeToken(): string | undefined {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return undefined;
  history.replaceState(null, "", location.pathname);
  return token;
}

/** Exchanges the token for a cookie that scripts cannot read. */
export async function logIn(token: string): Promise<Login> {
  try {
    const response = await fetch(LOGIN, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    });
    return response.ok ? "known" : "unknown";
  } catch {
    return "unreachable";
  }
}

/** Asks whether the host knows this browser. */
export async function checkLogin(): Promise<Login> {
  try {
    const response = await fetch(SESSIONS, { cache: "no-store" });
    return response.status === 401 ? "unknown" : "known";
  } catch {
    return "unreachable";
  }
}

/** Brings a person's answer to the host. */
export async function sendAnswer(id: string, answer: Answer): Promise<Answered> {
  return post(`${QUESTIONS}/${encodeURIComponent(id)}`, answer, "That is no answer to this question.");
}

/** Brings a person's decision to the host. */
export async function sendDecision(id: string, answer: ApprovalAnswer): Promise<Answered> {
  return post(`${APPROVALS}/${encodeURIComponent(id)}`, answer, "It was not taken: reload the page and look at the text again.");
}

async function post(address: string, body: Answer | ApprovalAnswer, notFitting: string): Promise<Answered> {
  try {
    const response = await fetch(address, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (response.ok) return "taken";
    if (response.status === 410) return "gone";
    if (response.status === 422) return { problem: notFitting };
    return { problem: `Your answer was not taken (${response.status}).` };
  } catch {
    return "unreachable";
  }
}

export function openEvents(): Socket {
  return open("/api/v1/events");
}

export function openTerminal(sessionId: string): Socket {
  return open(`${SESSIONS}/${encodeURIComponent(sessionId)}/terminal`);
}

function open(path: string): Socket {
  return new WebSocket(`ws://${location.host}${path}`);
}
