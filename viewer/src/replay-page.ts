/** A recorded session, played in the same terminal as a live one: of this host's records, or a file of one's own. */

import { button, element, setText } from "./dom";
import { fetchTranscript } from "./host-api";
import { Player } from "./player";
import { eventAt, parseRecording, type Recording, RecordingError } from "./recording";
import { type Place, placeOf } from "./replay-address";
import { type Caller, roleBadge } from "./roles";
import { SearchBox } from "./search-box";
import { brand } from "./sessions-page";
import { TerminalView } from "./terminal-view";
import { turnTheme } from "./theme";
import { Timeline } from "./timeline";
import { clockText } from "./words";

const SPEEDS: readonly number[] = [0.5, 1, 2, 4, 8, 16];
/** How far the arrow keys on the page go, in milliseconds. */
const STEP = 5_000;
/** How often a playing page moves on, in milliseconds. */
const TICK = 33;

export class ReplayPage {
  readonly #title = element("h1", {}, "Replay");
  readonly #remarks = element("p", { class: "note", role: "status" });
  readonly #frame = element("div", { class: "terminal-frame", role: "region", "aria-label": "Terminal of the recording" });
  readonly #timeline = new Timeline({ jump: (command) => this.#jump(command.id) });
  readonly #terminal: TerminalView;
  readonly #play: HTMLButtonElement;
  readonly #seek = element("input", { type: "range", min: "0", max: "0", step: "100", value: "0", "aria-label": "Time", class: "seek" });
  readonly #clock = element("span", { class: "clock" });
  readonly #speed = element("select", { "aria-label": "Speed" });
  readonly #cut = element("input", { type: "checkbox", checked: "" });
  #player: Player | undefined;

  constructor(root: HTMLElement, caller: Caller, record: { instance: string; session: string } | undefined) {
    const search = new SearchBox({
      find: (text, forward) => this.#terminal.find(text, forward),
      end: () => this.#terminal.endSearch(),
    });
    this.#play = button("Play", "Play", () => (this.#player?.playing === true ? this.#player.pause() : this.#player?.play()));
    this.#play.classList.add("primary");
    for (const speed of SPEEDS) this.#speed.append(element("option", { value: String(speed), ...(speed === 1 ? { selected: "" } : {}) }, `${speed}×`));
    const file = element("input", { type: "file", accept: ".cast,.jsonl,.json,application/jsonl", "aria-label": "Play a file" });
    file.addEventListener("change", () => void this.#open(file));
    const controls = element(
      "div",
      { class: "player", role: "group", "aria-label": "Player" },
      this.#play,
      this.#seek,
      this.#clock,
      this.#speed,
      element("label", { title: "Pauses are played for 1.5 seconds at most" }, this.#cut, "Cut pauses"),
      button("Find", "Find in the output so far", () => search.open()),
      button("Copy", "Copy what is selected", () => void this.#terminal.copy()),
      button("Theme", "Theme: light, dark, or as the system has it", () => turnTheme()),
    );
    root.replaceChildren(
      element("header", { class: "masthead" }, brand(), element("div", { class: "place" }, this.#title), roleBadge(caller), element("label", { class: "file" }, "File ", file)),
      element("main", { class: "session" }, search.element, element("div", { class: "stage" }, this.#frame, this.#timeline.section), element("div", { class: "bar" }, controls, this.#remarks)),
    );
    this.#terminal = new TerminalView(this.#frame, { typed: () => {}, link: () => {}, search: () => search.open() });
    this.#terminal.readOnly = true;
    this.#seek.addEventListener("input", () => this.#player?.seek(Number(this.#seek.value)));
    this.#speed.addEventListener("change", () => {
      if (this.#player !== undefined) this.#player.speed = Number(this.#speed.value);
    });
    this.#cut.addEventListener("change", () => {
      if (this.#player !== undefined) this.#player.cutsPauses = this.#cut.checked;
      this.#show();
    });
    document.addEventListener("keydown", (event) => this.#key(event));
    this.#enable(false);
    if (record === undefined) setText(this.#remarks, "Choose a recording: a transcript (.jsonl) or an asciicast (.cast). It stays in this page.");
    else void this.#fetch(record);
  }

  async #fetch({ instance, session }: { instance: string; session: string }): Promise<void> {
    setText(this.#remarks, "Reading the record …");
    try {
      const { text, whole } = await fetchTranscript(instance, session);
      const recording = parseRecording(text);
      this.#load(recording, whole ? [] : ["The record is very long; only its beginning is here."]);
      const place = placeOf(location.hash);
      if (place !== undefined) this.#showPlace(recording, place);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Where a search has led. */
  #showPlace(recording: Recording, place: Place): void {
    const player = this.#player;
    if (player === undefined || recording.events.length === 0) return;
    player.seek(player.timeOfEvent(eventAt(recording, place)));
    // Behind what the seek has written.
    this.#terminal.write(new Uint8Array(), () => void this.#terminal.find(place.text, false));
  }

  async #open(field: HTMLInputElement): Promise<void> {
    const [file] = field.files ?? [];
    if (file === undefined) return;
    try {
      this.#load(parseRecording(await file.text()), []);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#player?.pause();
    setText(this.#remarks, error instanceof RecordingError || error instanceof Error ? error.message : "The recording cannot be read.");
  }

  #load(recording: Recording, remarks: readonly string[]): void {
    this.#player?.pause();
    setText(this.#title, recording.title);
    document.title = `${recording.title} · Replay · Portcullis`;
    setText(this.#remarks, [...remarks, ...recording.remarks].join(" "));
    this.#player = new Player(recording, this.#terminal, {
      changed: () => this.#show(),
      later: (step) => setTimeout(step, TICK),
      now: () => performance.now(),
    });
    this.#player.speed = Number(this.#speed.value);
    this.#player.cutsPauses = this.#cut.checked;
    this.#timeline.showAll(recording.commands);
    this.#enable(true);
    this.#show();
  }

  #jump(id: string): void {
    const at = this.#player?.timeOf(id);
    if (at === undefined) return;
    this.#player?.seek(at);
  }

  #key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (this.#player === undefined || event.ctrlKey || event.altKey || event.metaKey || target.closest("button, input, select, .timeline-list") !== null) return;
    if (event.key === " ") this.#play.click();
    else if (event.key === "ArrowLeft") this.#player.seek(this.#player.at - STEP);
    else if (event.key === "ArrowRight") this.#player.seek(this.#player.at + STEP);
    else return;
    event.preventDefault();
  }

  #show(): void {
    const player = this.#player;
    // A player tells of its first step before it is here.
    if (player === undefined) return;
    this.#seek.max = String(Math.ceil(player.length));
    this.#seek.value = String(Math.round(player.at));
    const words = `${clockText(player.at)} / ${clockText(player.length)}`;
    this.#seek.setAttribute("aria-valuetext", words);
    setText(this.#clock, words);
    const label = player.playing ? "Pause" : "Play";
    setText(this.#play, label);
    this.#play.setAttribute("aria-label", label);
    this.#play.title = label;
    this.#timeline.current = player.command;
  }

  #enable(on: boolean): void {
    for (const it of [this.#play, this.#seek, this.#speed, this.#cut]) it.disabled = !on;
  }
}
