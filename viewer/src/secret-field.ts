/**
 * A masked field for what a terminal asks for: a password, a passphrase, a code. It goes to the host once and is cleared
 * before the answer is there; no browser is invited to keep or fill it. It never takes the keyboard.
 */

import { element, setText } from "./dom";
import type { Done } from "./host-api";

export interface SecretEvents {
  send(text: string): Promise<Done>;
  /** It is typed; the keyboard goes back to the terminal. */
  sent(): void;
}

export class SecretField {
  readonly form: HTMLFormElement;
  readonly #field = element("input", { type: "password", id: "terminal-secret", autocomplete: "one-time-code", maxlength: "1000", spellcheck: "false" });
  readonly #problem = element("p", { class: "problem", role: "alert" });

  constructor(private readonly events: SecretEvents) {
    const label = element("label", { for: "terminal-secret" }, "The terminal asks for a secret");
    this.form = element(
      "form",
      { class: "secret-field", autocomplete: "off", hidden: "", novalidate: "", "aria-label": "A secret for the terminal" },
      label,
      this.#field,
      element("button", { type: "submit" }, "Type it there"),
      element("span", { class: "aside" }, "It is not recorded, and no agent sees it."),
      this.#problem,
    );
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send();
    });
  }

  /** What was begun for a question that is over is dropped. */
  set asked(asked: boolean) {
    if (!asked) this.#clear();
    this.form.hidden = !asked;
  }

  #clear(): void {
    this.#field.value = "";
    setText(this.#problem, "");
  }

  async #send(): Promise<void> {
    const text = this.#field.value;
    this.#clear();
    const done = await this.events.send(text);
    if (done === "done") return this.events.sent();
    setText(this.#problem, "held" in done ? done.held : done.problem);
  }
}
