/** Searching in a terminal's output: a field, up and down. Enter goes on, Escape ends. */

import { button, element, setText } from "./dom";

export interface SearchEvents {
  /** Whether it was found; an empty text ends the marking. */
  find(text: string, forward: boolean): boolean;
  /** The keyboard goes back to where it was. */
  end(): void;
}

export class SearchBox {
  readonly element: HTMLElement;
  readonly #field = element("input", { type: "search", "aria-label": "Search in the output", placeholder: "Search in the output", autocomplete: "off", spellcheck: "false" });
  readonly #result = element("span", { class: "aside", role: "status" });

  constructor(private readonly events: SearchEvents) {
    this.element = element(
      "div",
      { class: "search", role: "search", hidden: "" },
      this.#field,
      button("↑", "Further up", () => this.#find(false)),
      button("↓", "Further down", () => this.#find(true)),
      this.#result,
      button("✕", "End the search", () => this.#end()),
    );
    this.#field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#find(event.shiftKey);
      else if (event.key === "Escape") this.#end();
      else return;
      event.preventDefault();
    });
  }

  open(): void {
    this.element.hidden = false;
    this.#field.focus();
    this.#field.select();
  }

  #find(forward: boolean): void {
    const found = this.events.find(this.#field.value, forward);
    setText(this.#result, found ? "" : "Not found");
  }

  #end(): void {
    this.element.hidden = true;
    setText(this.#result, "");
    this.events.end();
  }
}
