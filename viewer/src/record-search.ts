/**
 * Searching the record: what was printed, typed and decided, in open sessions and those of before. The host searches;
 * a hit leads to the session's replay at its place.
 */

import { button, element, setText } from "./dom";
import { searchRecord } from "./host-api";
import type { SearchFound, SearchHit, SearchQuery } from "./protocol";
import { replayAddress } from "./replay-address";
import { ago } from "./summary";
import { actorText } from "./words";

/** Hits asked for at first, and further ones. */
const HITS = 50;
const MOST_HITS = 500;

export class RecordSearch {
  readonly section: HTMLElement;
  readonly #pattern = element("input", { type: "search", "aria-label": "Text to find in the record", placeholder: "Find in what was printed, typed and decided", autocomplete: "off", spellcheck: "false", maxlength: "1000" });
  readonly #regex = element("input", { type: "checkbox" });
  readonly #ignoreCase = element("input", { type: "checkbox", checked: "" });
  readonly #actor = choice("Who", [["", "anybody"], ["agent", "agent"], ["human", "persons"], ["automation", "host"]]);
  readonly #verdict = choice("Verdict", [["", "any verdict"], ["deny", "denied"], ["ask", "needed consent"], ["warn", "warned"], ["allow", "allowed"]]);
  readonly #since = choice("When", [["", "any time"], ["1h", "the last hour"], ["1d", "the last day"], ["7d", "the last week"]]);
  readonly #host = field("Host or profile", "200");
  readonly #command = field("In commands with", "200");
  readonly #exitCode = element("input", { type: "number", "aria-label": "Exit code", placeholder: "Exit code", step: "1" });
  readonly #said = element("p", { class: "aside", role: "status" });
  readonly #hits = element("ol", { class: "hits" });
  readonly #more: HTMLButtonElement;
  #limit = HITS;
  /** The newest search; the answer of an older one is too late. */
  #asked = 0;

  constructor() {
    const tick = (box: HTMLInputElement, label: string): HTMLElement => element("label", {}, box, label);
    const options = element(
      "details",
      { class: "search-options" },
      element("summary", {}, "More"),
      element("div", { class: "past-tools" }, this.#actor, this.#verdict, this.#since, this.#host, this.#command, this.#exitCode),
    );
    const submit = element("button", { type: "submit" }, "Search");
    const form = element(
      "form",
      { class: "past-tools", role: "search", "aria-label": "Search the record" },
      this.#pattern,
      tick(this.#ignoreCase, "Ignore case"),
      tick(this.#regex, "Pattern"),
      submit,
      options,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#limit = HITS;
      void this.#search();
    });
    this.#more = button("More hits", "More hits: search further", () => {
      this.#limit = MOST_HITS;
      void this.#search();
    });
    this.#more.hidden = true;
    this.section = element("section", { class: "past record-search", "aria-label": "Search the record" }, element("h2", {}, "Search the record"), form, this.#said, this.#hits, this.#more);
  }

  #query(): SearchQuery {
    const text = (name: string, it: { readonly value: string }): Record<string, string> => (it.value.trim() === "" ? {} : { [name]: it.value });
    const exit = this.#exitCode.valueAsNumber;
    return {
      ...text("pattern", this.#pattern),
      ...text("actor", this.#actor),
      ...text("verdict", this.#verdict),
      ...text("since", this.#since),
      ...text("host", this.#host),
      ...text("command", this.#command),
      ...(Number.isInteger(exit) ? { exit_code: exit } : {}),
      regex: this.#regex.checked,
      ignore_case: this.#ignoreCase.checked,
      limit: this.#limit,
    };
  }

  async #search(): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    setText(this.#said, "Searching …");
    try {
      const found = await searchRecord(this.#query());
      if (asked === this.#asked) this.#show(found);
    } catch (error) {
      if (asked !== this.#asked) return;
      setText(this.#said, error instanceof Error ? error.message : "The record cannot be searched.");
      // What an older search has found would be taken for this one's.
      this.#hits.replaceChildren();
      this.#more.hidden = true;
    }
  }

  #show(found: SearchFound): void {
    setText(this.#said, foundText(found));
    this.#hits.replaceChildren(...found.hits.map(hitLine));
    this.#more.hidden = !found.more || this.#limit >= MOST_HITS;
  }
}

/** "3 hits in 2 transcripts"; what could not be read is said, too. */
export function foundText(found: SearchFound): string {
  const many = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;
  const more = found.more ? ", and more" : "";
  const problems = found.problems.length === 0 ? "" : ` Not searched: ${found.problems.join("; ")}`;
  return `${many(found.hits.length, "hit")}${more} in ${many(found.files, "transcript")}.${problems}`;
}

function hitLine(hit: SearchHit): HTMLLIElement {
  const link = element("a", { href: replayAddress(hit) }, element("code", {}, hit.text === "" ? "(no text)" : hit.text));
  const exit = hit.exit_code === null ? "" : ` · exit ${hit.exit_code}`;
  const who = hit.actor === null ? "" : ` · ${actorText(hit.actor)}`;
  const at = element("time", { datetime: new Date(hit.unix_ms).toISOString(), title: new Date(hit.unix_ms).toLocaleString() }, ago(hit.unix_ms, Date.now()));
  return element("li", { class: "hit" }, link, element("span", { class: "aside" }, element("span", { class: "session-id" }, hit.session_id), ` · ${hit.kind.replaceAll("_", " ")}${who}${exit} · `, at));
}

function choice(label: string, options: readonly (readonly [string, string])[]): HTMLSelectElement {
  return element("select", { "aria-label": label }, ...options.map(([value, words]) => element("option", { value }, words)));
}

function field(label: string, maxlength: string): HTMLInputElement {
  return element("input", { type: "text", "aria-label": label, placeholder: label, autocomplete: "off", spellcheck: "false", maxlength });
}
