/**
 * What a person is asked while a session is being opened, as cards to answer or refuse.
 *
 * A server's words are shown as text and marked as the server's. What is typed goes to the host once and
 * is cleared before the answer is there; no browser is invited to keep or fill it.
 */

import { element, setText } from "./dom";
import type { Notifier } from "./notifier";
import type { Answer, Prompt, Question, Wanted } from "./protocol";
import { timeLeft } from "./summary";

/** How often the time that is left is brought up to date, in milliseconds. */
const CLOCK_INTERVAL = 1_000;
/** A host key cannot be trusted by a click that was meant for what stood there before. */
const TRUST_DELAY = 700;

/** What came of an answer. */
export type Answered = "taken" | "gone" | "unreachable" | { readonly problem: string };

export interface QuestionEvents {
  answer(id: string, answer: Answer): Promise<Answered>;
  /** Something came that was not there before. */
  asked(first: HTMLElement | undefined): void;
}

export class QuestionBoard {
  readonly section: HTMLElement;
  readonly #list = element("div", { class: "question-list" });
  readonly #count = element("span", { class: "count" });
  readonly #cards = new Map<string, QuestionCard>();

  constructor(private readonly events: QuestionEvents, private readonly notifier: Notifier) {
    const title = element("h2", {}, "Waiting for you", " ", this.#count);
    // Read out when something comes, without taking the keyboard away from where it is.
    const live = { "aria-live": "polite", "aria-relevant": "additions" };
    this.section = element("section", { class: "questions", "aria-label": "Waiting for you", hidden: "", ...live }, title, this.#list);
    setInterval(() => {
      for (const card of this.#cards.values()) card.tick();
    }, CLOCK_INTERVAL);
  }

  show(questions: readonly Question[]): void {
    const wanted = new Set(questions.map((it) => it.id));
    for (const [id, card] of this.#cards) {
      if (wanted.has(id)) continue;
      card.form.remove();
      this.#cards.delete(id);
      this.notifier.gone(id);
    }
    setText(this.#count, String(questions.length));
    this.section.hidden = questions.length === 0;
    for (const question of questions) {
      if (this.#cards.has(question.id)) continue;
      const card = new QuestionCard(question, (answer) => this.events.answer(question.id, answer));
      this.#cards.set(question.id, card);
      this.#list.append(card.form);
      this.events.asked(card.first);
      // Not a server's own words: they may say anything.
      this.notifier.came(question.id, "A connection asks you something", `${question.label === "" ? question.profile : question.label}: ${question.target}`);
    }
  }
}

class QuestionCard {
  readonly form: HTMLFormElement;
  readonly #inputs: HTMLInputElement[] = [];
  readonly #left = element("span", { class: "time-left" });
  readonly #problem = element("p", { class: "problem", role: "alert" });
  readonly #fields = element("fieldset", { class: "question-fields" });
  readonly #ends: number;

  constructor(question: Question, private readonly send: (answer: Answer) => Promise<Answered>) {
    this.#ends = question.asked_unix_ms + question.limit_s * 1000;
    const title = element("h3", {}, titleOf(question));
    title.id = `question-${question.id}`;
    this.#fields.append(...this.#body(question.id, question.wanted), this.#buttons(question.wanted));
    this.form = element(
      "form",
      { class: "question", autocomplete: "off", "aria-labelledby": title.id, novalidate: "" },
      element("div", { class: "card-head" }, title, this.#left),
      about(question),
      this.#fields,
      this.#problem,
      ...tried(question.tried),
    );
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#answer(this.#given(question.wanted));
    });
    this.form.addEventListener("keydown", (event) => {
      // An input method uses Escape for itself.
      if (event.key !== "Escape" || event.isComposing) return;
      event.preventDefault();
      void this.#answer({ type: "refuse" });
    });
    this.tick();
  }

  /** Where typing begins; nothing for a question that is answered by a button alone. */
  get first(): HTMLElement | undefined {
    return this.#inputs[0];
  }

  tick(): void {
    setText(this.#left, timeLeft(this.#ends, Date.now()));
  }

  #body(id: string, wanted: Wanted): HTMLElement[] {
    switch (wanted.kind) {
      case "answers":
        return [
          ...said(wanted.name, wanted.instructions),
          // Whoever runs the server chooses these words, not this program.
          element("p", { class: "aside" }, "The server asks, in its own words:"),
          ...wanted.prompts.map((prompt, at) => this.#field(`${id}-${at}`, prompt)),
        ];
      case "passphrase":
        return [
          ...wrong(wanted.again, "That passphrase was wrong."),
          this.#field(id, { text: `Passphrase of ${wanted.key}`, echo: false }),
          element("p", { class: "aside" }, "It is used on this machine only and not kept."),
        ];
      case "password":
        return [...wrong(wanted.again, "That password was refused."), this.#field(id, { text: "Password", echo: false })];
      case "host_key":
        return hostKey(wanted);
    }
  }

  #field(id: string, prompt: Prompt): HTMLElement {
    const input = element("input", {
      id: `answer-${id}`,
      type: prompt.echo ? "text" : "password",
      // Browsers fill and keep what they take for a password, but not a code that is good for once.
      autocomplete: prompt.echo ? "off" : "one-time-code",
      autocapitalize: "off",
      autocorrect: "off",
      spellcheck: "false",
      "data-1p-ignore": "",
      "data-lpignore": "true",
      "data-bwignore": "",
    });
    this.#inputs.push(input);
    const label = element("label", { for: input.id, dir: "auto" }, prompt.text === "" ? "Answer" : prompt.text);
    return element("div", { class: "field" }, label, input);
  }

  #buttons(wanted: Wanted): HTMLElement {
    const trusts = wanted.kind === "host_key";
    const submit = element("button", { type: "submit", class: "primary" }, trusts ? "Trust it and connect" : "Answer");
    if (trusts) {
      submit.disabled = true;
      setTimeout(() => (submit.disabled = false), TRUST_DELAY);
    }
    const refuse = element("button", { type: "button" }, trusts ? "Refuse" : "Cancel");
    refuse.addEventListener("click", () => void this.#answer({ type: "refuse" }));
    return element("div", { class: "actions" }, submit, refuse);
  }

  #given(wanted: Wanted): Answer {
    if (wanted.kind === "host_key") return { type: "trust", fingerprint: wanted.fingerprint };
    return { type: "answers", answers: this.#inputs.map((input) => input.value) };
  }

  async #answer(answer: Answer): Promise<void> {
    if (this.#fields.disabled) return;
    for (const input of this.#inputs) input.value = "";
    this.#fields.disabled = true;
    setText(this.#problem, "");
    const answered = await this.send(answer);
    // The host takes the card away; until then it stays as it is.
    if (answered === "taken") return;
    if (answered === "gone") {
      setText(this.#problem, "This is no longer asked: it was answered elsewhere, or its time was over.");
      return;
    }
    this.#fields.disabled = false;
    setText(this.#problem, answered === "unreachable" ? "Not connected: your answer was not sent." : answered.problem);
    this.#inputs[0]?.focus();
  }
}

function titleOf(question: Question): string {
  const label = question.label === "" ? question.profile : question.label;
  switch (question.wanted.kind) {
    case "answers":
      return `${label} asks you to log in`;
    case "passphrase":
      return `Unlock a key for ${label}`;
    case "password":
      return `Password for ${label}`;
    case "host_key":
      return `Is this really ${label}?`;
  }
}

function about(question: Question): HTMLElement {
  const target = element("span", { class: "host" }, question.target);
  const hop = question.hop === null ? [] : [element("span", { class: "hop" }, question.hop)];
  const profile = element("span", {}, "profile ", element("span", { class: "host" }, question.profile));
  return element("p", { class: "about" }, target, ...hop, profile);
}

/** The server's words, marked as such: they may say anything. */
function said(name: string, instructions: string): HTMLElement[] {
  if (name === "" && instructions === "") return [];
  const words = [name, instructions].filter((text) => text !== "").map((text) => element("p", { dir: "auto" }, text));
  return [element("blockquote", { class: "said", "aria-label": "The server says" }, element("p", { class: "aside" }, "The server says"), ...words)];
}

function wrong(again: boolean, words: string): HTMLElement[] {
  return again ? [element("p", { class: "problem" }, words)] : [];
}

function hostKey(wanted: Extract<Wanted, { kind: "host_key" }>): HTMLElement[] {
  const facts = element(
    "dl",
    { class: "facts" },
    element("dt", {}, "Key type"),
    element("dd", {}, wanted.key_type),
    element("dt", {}, "Fingerprint"),
    element("dd", { class: "fingerprint" }, wanted.fingerprint),
    element("dt", {}, "Recorded in"),
    element("dd", {}, wanted.file),
  );
  const words = "Nobody has recorded this host's key yet. Compare the fingerprint with what the host's owner tells you, not with what an agent says.";
  const skipped = wanted.skipped.map((line) => element("p", { class: "aside" }, line));
  return [element("p", {}, words), facts, ...skipped];
}

function tried(attempts: readonly string[]): HTMLElement[] {
  if (attempts.length === 0) return [];
  const list = element("ul", {}, ...attempts.map((attempt) => element("li", {}, attempt)));
  return [element("details", { class: "tried" }, element("summary", {}, `Tried before: ${attempts.length}`), list)];
}
