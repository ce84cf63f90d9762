/** The few plain HTTP requests of the page, and the addresses of its sockets. */

import type { Login, Socket } from "./connection";
import { type Answer, type ApprovalAnswer, type ControlRequest, parseHistory, parseSearchFound, type PastSession, ROLES, type SearchFound, type SearchQuery } from "./protocol";
import type { Answered } from "./questions";
import type { Caller } from "./roles";

const LOGIN = "/api/v1/login";
const ME = "/api/v1/me";
const HISTORY = "/api/v1/history";
const SEARCH = "/api/v1/search";
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

/** Whether the host knows this browser and, if so, in which role. */
export type Who = { readonly login: "known"; readonly caller: Caller } | { readonly login: "unknown" } | { readonly login: "unreachable" };

/** Exchanges the token for a cookie that scripts cannot read. */
export async function logIn(token: string): Promise<Who> {
  try {
    const response = await fetch(LOGIN, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    });
    return await who(response);
  } catch {
    return { login: "unreachable" };
  }
}

/** Asks who this browser is to the host. */
export async function whoAmI(): Promise<Who> {
  try {
    return await who(await fetch(ME, { cache: "no-store" }));
  } catch {
    return { login: "unreachable" };
  }
}

/** Asks whether the host knows this browser. */
export async function checkLogin(): Promise<Login> {
  return (await whoAmI()).login;
}

async function who(response: Response): Promise<Who> {
  if (response.status === 401) return { login: "unknown" };
  const { role, user } = (await response.json()) as { role?: unknown; user?: unknown };
  const known = ROLES.find((it) => it === role);
  if (known === undefined) return { login: "unreachable" };
  return { login: "known", caller: { role: known, user: typeof user === "string" ? user : null } };
}

/** Brings a person's answer to the host. */
export async function sendAnswer(id: string, answer: Answer): Promise<Answered> {
  return post(`${QUESTIONS}/${encodeURIComponent(id)}`, answer, "That is no answer to this question.");
}

/** Brings a person's decision to the host. */
export async function sendDecision(id: string, answer: ApprovalAnswer): Promise<Answered> {
  return post(`${APPROVALS}/${encodeURIComponent(id)}`, answer, "It was not taken: reload the page and look at the text again.");
}

/** What came of asking for something. */
export type Done = "done" | { readonly held: string } | { readonly problem: string };

/** Does something to a session. */
export async function sendControl(sessionId: string, request: ControlRequest): Promise<Done> {
  return toSession(sessionId, "control", request, "nothing was done");
}

/** Types a secret where the terminal asks for one. */
export async function sendSecret(sessionId: string, text: string): Promise<Done> {
  return toSession(sessionId, "secret", { text }, "it may not have been typed");
}

async function toSession(sessionId: string, what: string, body: object, otherwise: string): Promise<Done> {
  try {
    const response = await fetch(`${SESSIONS}/${encodeURIComponent(sessionId)}/${what}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (response.ok) return "done";
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    return error.code === "held" ? { held: error.message } : { problem: error.message };
  } catch {
    return { problem: `Portcullis does not answer; ${otherwise}.` };
  }
}

/** The sessions of before, the newest first. */
export async function fetchHistory(): Promise<readonly PastSession[]> {
  const response = await fetch(HISTORY, { cache: "no-store" });
  if (!response.ok) throw new Error(`the list of past sessions was not given (${response.status})`);
  return parseHistory(await response.json());
}

/** Searches the record. */
export async function searchRecord(query: SearchQuery): Promise<SearchFound> {
  const fields = Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]);
  const response = await fetch(`${SEARCH}?${new URLSearchParams(fields)}`, { cache: "no-store" });
  const answer: unknown = await response.json();
  if (response.ok) return parseSearchFound(answer);
  throw new Error((answer as { error: { message: string } }).error.message);
}

/** The record of one of them, and whether that is all of it. */
export async function fetchTranscript(instanceId: string, sessionId: string): Promise<{ text: string; whole: boolean }> {
  const response = await fetch(`${HISTORY}/${encodeURIComponent(instanceId)}/${encodeURIComponent(sessionId)}`, { cache: "no-store" });
  if (!response.ok) throw new Error(response.status === 404 ? "There is no such record." : `The record was not given (${response.status}).`);
  return { text: await response.text(), whole: response.headers.get("x-transcript-whole") === "yes" };
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

/** With what was printed before, or from where the page has left off in that launch. */
export function openTerminal(sessionId: string, seen?: { instance: string; offset: number }): Socket {
  const start = seen === undefined ? "history=true" : `from=${seen.offset}&instance=${encodeURIComponent(seen.instance)}`;
  return open(`${SESSIONS}/${encodeURIComponent(sessionId)}/terminal?${start}`);
}

function open(path: string): Socket {
  // Encrypted where a proxy in front of the host is.
  return new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`);
}
