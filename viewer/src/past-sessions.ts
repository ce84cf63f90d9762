/**
 * Sessions of before, by launch: their records, to be played. Read when the list of live sessions changes and when a
 * person asks, not pushed: they lie on the disk.
 */

import { button, element, setText } from "./dom";
import { fetchHistory } from "./host-api";
import type { PastSession } from "./protocol";
import { replayAddress } from "./replay-address";
import { ago } from "./summary";
import { durationText } from "./words";

/** Launches shown at first. */
const FIRST_GROUPS = 5;

export class PastSessions {
  readonly section: HTMLElement;
  readonly #groups = element("div", { class: "launches" });
  readonly #count = element("span", { class: "count" });
  readonly #problem = element("p", { class: "problem", role: "alert" });
  readonly #filter = element("input", { type: "search", "aria-label": "Filter past sessions", placeholder: "Filter by name, host or place", autocomplete: "off" });
  readonly #more: HTMLButtonElement;
  #sessions: readonly PastSession[] = [];
  #shownGroups = FIRST_GROUPS;
  #reading = false;
  #again = false;

  constructor() {
    this.#more = button("Older launches", "Older launches: show more", () => {
      this.#shownGroups += FIRST_GROUPS * 2;
      this.#show();
    });
    const replay = element("a", { class: "file-link", href: "/replay" }, "Play a file …");
    this.section = element("section", { class: "past", "aria-label": "Past sessions" }, element("h2", {}, "Past sessions ", this.#count), element("div", { class: "past-tools" }, this.#filter, replay), this.#problem, this.#groups, this.#more);
    this.#filter.addEventListener("input", () => this.#show());
  }

  /** Reads the list anew. */
  async refresh(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    try {
      this.#sessions = await fetchHistory();
      setText(this.#problem, "");
      this.#show();
    } catch (error) {
      setText(this.#problem, error instanceof Error ? error.message : "the list of past sessions cannot be read");
    }
    this.#reading = false;
    if (!this.#again) return;
    this.#again = false;
    await this.refresh();
  }

  #show(): void {
    const words = this.#filter.value.toLowerCase().split(/\s+/).filter((it) => it !== "");
    const fits = (session: PastSession): boolean => {
      const text = `${session.session_id} ${session.name ?? ""} ${session.profile} ${session.host} ${session.breadcrumb.join(" ")}`.toLowerCase();
      return words.every((word) => text.includes(word));
    };
    // What is open here is among the live sessions above.
    const past = this.#sessions.filter((it) => !(it.here && it.closed_reason === null) && fits(it));
    const launches = new Map<string, PastSession[]>();
    for (const session of past) launches.set(session.instance_id, [...(launches.get(session.instance_id) ?? []), session]);
    const shown = [...launches.entries()].slice(0, this.#shownGroups);
    this.#groups.replaceChildren(...shown.map(([instance, sessions]) => launch(instance, sessions)));
    setText(this.#count, String(past.length));
    this.#more.hidden = launches.size <= this.#shownGroups;
    this.section.hidden = this.#sessions.length === 0;
  }
}

function launch(instance: string, sessions: readonly PastSession[]): HTMLElement {
  const [first] = sessions;
  const whose = first?.here === true ? "This launch" : first?.running === true ? "Another host that runs now" : "An earlier launch";
  const title = element("h3", {}, whose, " ", element("span", { class: "session-id" }, instance));
  return element("section", { class: "launch" }, title, element("ul", { class: "records" }, ...sessions.map(record)));
}

function record(session: PastSession): HTMLLIElement {
  const name = session.name === null ? session.session_id : `${session.session_id} · ${session.name}`;
  const end = session.closed_reason ?? (session.running ? "open" : "its record breaks off");
  const opened = element("time", { datetime: new Date(session.opened_unix_ms).toISOString(), title: new Date(session.opened_unix_ms).toLocaleString() }, ago(session.opened_unix_ms, Date.now()));
  const length = durationText(Math.max(0, session.last_unix_ms - session.opened_unix_ms));
  const place = session.breadcrumb.length === 0 ? session.host : `${session.host} › ${session.breadcrumb.join(" › ")}`;
  return element(
    "li",
    { class: "record" },
    element("a", { href: replayAddress({ instance_id: session.instance_id, session_id: session.session_id }) }, name),
    element("span", { class: "host" }, place),
    element("span", { class: "record-end", title: end }, end),
    element("span", { class: "aside" }, opened, ` · ${length}${session.has_content ? "" : " · no contents"}`),
  );
}
