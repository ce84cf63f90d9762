/**
 * What a policy lets pass only when a person allows it, as cards: the exact text with what caused the
 * question, the rule, the place, the time that is left, and the decisions.
 *
 * All text is shown as text, and what cannot be seen in it as codes. A decision names the digest of the text
 * that was shown, so that a page that is behind cannot allow another one.
 */

import { breadcrumb, element, fillBreadcrumb, setText } from "./dom";
import { parts } from "./escapes";
import type { Notifier } from "./notifier";
import type { Approval, ApprovalAnswer, Cause } from "./protocol";
import type { Answered } from "./questions";
import { timeLeft } from "./summary";

/** How often the time that is left is brought up to date, in milliseconds. */
const CLOCK_INTERVAL = 1_000;
/** Nothing is allowed by a click or key that was meant for what stood there before, in milliseconds. */
const ALLOW_DELAY = 700;

export interface ApprovalEvents {
  decide(id: string, answer: ApprovalAnswer): Promise<Answered>;
  /** The session whose page this is; the others' cards lead to theirs. */
  readonly sessionId?: string;
}

export class ApprovalBoard {
  readonly section: HTMLElement;
  readonly #list = element("div", { class: "question-list" });
  readonly #count = element("span", { class: "count" });
  readonly #cards = new Map<string, ApprovalCard>();

  constructor(private readonly events: ApprovalEvents, private readonly notifier: Notifier) {
    const title = element("h2", {}, "Waiting for your approval", " ", this.#count);
    // Read out when something comes, without taking the keyboard away from where it is.
    const live = { "aria-live": "assertive", "aria-relevant": "additions" };
    this.section = element("section", { class: "questions approvals", "aria-label": "Waiting for your approval", hidden: "", ...live }, title, this.#list);
    setInterval(() => {
      for (const card of this.#cards.values()) card.tick();
    }, CLOCK_INTERVAL);
  }

  /** The first decision that can be taken, for the keyboard's way here. */
  get first(): HTMLElement | undefined {
    return this.#cards.values().next().value?.first;
  }

  show(approvals: readonly Approval[]): void {
    const wanted = new Set(approvals.map((it) => it.id));
    for (const [id, card] of this.#cards) {
      if (wanted.has(id)) continue;
      card.form.remove();
      this.#cards.delete(id);
      this.notifier.gone(id);
    }
    setText(this.#count, String(approvals.length));
    this.section.hidden = approvals.length === 0;
    for (const approval of approvals) {
      if (this.#cards.has(approval.id)) continue;
      const elsewhere = approval.session_id !== this.events.sessionId;
      const card = new ApprovalCard(approval, elsewhere, (answer) => this.events.decide(approval.id, answer));
      this.#cards.set(approval.id, card);
      this.#list.append(card.form);
      const place = approval.breadcrumb.length === 0 ? approval.profile : approval.breadcrumb.join(" › ");
      // Not the text itself: it would stand on a locked screen.
      this.notifier.came(approval.id, "An approval waits for you", `${place}: ${asking(approval)[0]?.rule_id ?? ""}`);
    }
  }
}

class ApprovalCard {
  readonly form: HTMLFormElement;
  readonly first: HTMLButtonElement;
  readonly #left = element("span", { class: "time-left" });
  readonly #problem = element("p", { class: "problem", role: "alert" });
  readonly #fields = element("fieldset", { class: "question-fields" });
  readonly #reason: HTMLInputElement;
  readonly #ends: number;

  constructor(approval: Approval, elsewhere: boolean, private readonly send: (answer: ApprovalAnswer) => Promise<Answered>) {
    this.#ends = approval.asked_unix_ms + approval.limit_s * 1000;
    const { id, digest } = approval;
    const title = element("h3", {}, titleOf(approval));
    title.id = `approval-${id}`;
    const text = shownText(approval);
    text.id = `approval-text-${id}`;
    this.#reason = element("input", { id: `reason-${id}`, type: "text", autocomplete: "off", maxlength: "1000" });
    const deny = decision("Deny", () => void this.#decide({ type: "deny", digest, reason: this.#reason.value }));
    const once = decision("Allow once", () => void this.#decide({ type: "allow_once", digest }));
    const rule = decision(ruleLabel(approval), () => void this.#decide({ type: "allow_rule", digest }));
    rule.title = "Whatever this rule asks about at this place is sent without asking again, until the session ends";
    for (const allow of [once, rule]) {
      allow.disabled = true;
      setTimeout(() => (allow.disabled = false), ALLOW_DELAY);
    }
    this.first = deny;
    const reason = element("div", { class: "field reason" }, element("label", { for: this.#reason.id }, "Reason for a denial; the agent is told"), this.#reason);
    this.#fields.append(reason, element("div", { class: "actions" }, once, rule, deny));
    this.form = element(
      "form",
      { class: "question approval", autocomplete: "off", "aria-labelledby": title.id, "aria-describedby": text.id, novalidate: "" },
      element("div", { class: "card-head" }, title, this.#left),
      about(approval, elsewhere),
      text,
      ...asking(approval).map(causeLine),
      ...others(approval),
      ...purpose(approval),
      this.#fields,
      this.#problem,
    );
    // Enter in the reason's field denies; nothing is ever allowed by it.
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#decide({ type: "deny", digest, reason: this.#reason.value });
    });
    this.tick();
  }

  tick(): void {
    setText(this.#left, timeLeft(this.#ends, Date.now()));
  }

  async #decide(answer: ApprovalAnswer): Promise<void> {
    if (this.#fields.disabled) return;
    this.#fields.disabled = true;
    setText(this.#problem, "");
    const answered = await this.send(answer);
    // The host takes the card away; until then it stays as it is.
    if (answered === "taken") return;
    if (answered === "gone") {
      setText(this.#problem, "This is no longer open: it was decided elsewhere, withdrawn, or its time was over.");
      return;
    }
    this.#fields.disabled = false;
    setText(this.#problem, answered === "unreachable" ? "Not connected: your decision was not sent." : answered.problem);
  }
}

function decision(label: string, press: () => void): HTMLButtonElement {
  // The widest of the three does not stand out.
  const look = new Map([["Allow once", "primary"], ["Deny", "deny"]]).get(label) ?? "";
  const made = element("button", { type: "button", class: look }, label);
  made.addEventListener("click", press);
  return made;
}

function asking(approval: Approval): readonly Cause[] {
  return approval.causes.filter((it) => it.verdict === "ask");
}

function ruleLabel(approval: Approval): string {
  const count = new Set(asking(approval).map((it) => `${it.policy} ${it.rule_id}`)).size;
  return count > 1 ? `Allow these ${count} rules for this session` : "Allow this rule for this session";
}

const DELIVERIES: ReadonlyMap<string, string> = new Map([
  ["shell_line", "May this line run?"],
  ["menu_input", "May this be answered to the menu?"],
  ["pty_input", "May this be typed into the program that runs?"],
  ["log_search", "May this log search run?"],
  ["file_read", "May this file be read?"],
  ["file_write", "May this file be written?"],
]);

function titleOf(approval: Approval): string {
  return DELIVERIES.get(approval.delivery) ?? "May this be sent?";
}

function about(approval: Approval, elsewhere: boolean): HTMLElement {
  const places = breadcrumb();
  fillBreadcrumb(places, approval.breadcrumb);
  const label = approval.label === "" ? approval.profile : approval.label;
  const session = elsewhere
    ? element("a", { href: `/s/${encodeURIComponent(approval.session_id)}` }, approval.session_id)
    : element("span", {}, approval.session_id);
  const who = approval.actor === "agent" ? (approval.asked_by ?? "an agent") : `a navigator or search, for ${approval.asked_by ?? "an agent"}`;
  return element("div", { class: "about" }, element("span", { class: "host" }, label), session, places, element("span", {}, `asked by ${who}`));
}

/** The exact text; nothing of it is cut. */
function shownText(approval: Approval): HTMLElement {
  const spans = asking(approval).flatMap((it) => (it.span === null ? [] : [it.span]));
  const shown = parts(approval.text, spans).map((part) => {
    const inner = part.escaped ? element("span", { class: "escaped", title: "a character that cannot be seen" }, part.text) : part.text;
    return part.marked ? element("mark", {}, inner) : inner;
  });
  return element("pre", { class: "approval-text", tabindex: "0", dir: "ltr", "aria-label": "The exact text" }, ...shown);
}

function causeLine(cause: Cause): HTMLElement {
  const rule = element("code", { title: `policy ${cause.policy}` }, cause.rule_id);
  const instead = cause.suggestion === null ? [] : [element("span", { class: "aside" }, ` Instead: ${cause.suggestion}`)];
  return element("p", { class: "cause" }, rule, " ", element("span", { dir: "auto" }, cause.reason), ...instead);
}

/** What other rules say of it, for who wants to know. */
function others(approval: Approval): HTMLElement[] {
  const rest = approval.causes.filter((it) => it.verdict === "warn");
  if (rest.length === 0) return [];
  const list = element("ul", {}, ...rest.map((it) => element("li", {}, element("code", {}, it.rule_id), ` ${it.reason}`)));
  return [element("details", { class: "tried" }, element("summary", {}, `Warnings: ${rest.length}`), list)];
}

/** The agent's own words, marked as such: they may say anything. */
function purpose(approval: Approval): HTMLElement[] {
  if (approval.purpose === null) return [];
  const shown = parts(approval.purpose, []).map((part) => (part.escaped ? element("span", { class: "escaped" }, part.text) : part.text));
  const says = element("p", { class: "aside" }, "The agent says (nobody has checked it)");
  return [element("blockquote", { class: "said", "aria-label": "The agent says" }, says, element("p", { dir: "auto" }, ...shown))];
}
