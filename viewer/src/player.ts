/**
 * Plays a recording on a screen: forward at a speed, to any time, with long pauses cut. Time and timers come from
 * outside, so that tests can play them.
 */

import { joined } from "./bytes";
import { type PlayedEvent, playedTimes, type Recording } from "./recording";

/** What is played on. Bytes may be written faster than they are drawn. */
export interface PlayScreen {
  reset(): void;
  resize(columns: number, rows: number): void;
  write(bytes: Uint8Array, drawn: () => void): void;
}

export interface PlayerEvents {
  /** The time has moved on, or playing has begun or ended. */
  changed(): void;
  /** Calls `step` a moment later. */
  later(step: () => void): void;
  /** Milliseconds on any clock. */
  now(): number;
}

/** Longest pause that is played when pauses are cut, in milliseconds. */
export const LONGEST_PAUSE = 1_500;
/** Bytes handed to the screen at once. */
const LARGEST_WRITE = 256 * 1024;

export class Player {
  #times: number[];
  /** The next event to play. */
  #next = 0;
  #at = 0;
  #speed = 1;
  #cutsPauses = true;
  #playing = false;
  #tickAt = 0;
  /** The command that began last. */
  #command: string | undefined;
  #resting = true;
  #drawing = 0;

  constructor(private readonly recording: Recording, private readonly screen: PlayScreen, private readonly events: PlayerEvents) {
    this.#times = playedTimes(recording.events, LONGEST_PAUSE);
    this.#rewind();
  }

  get at(): number {
    return this.#at;
  }

  get length(): number {
    return this.#times.at(-1) ?? 0;
  }

  get playing(): boolean {
    return this.#playing;
  }

  get command(): string | undefined {
    return this.#command;
  }

  set speed(speed: number) {
    this.#tick();
    this.#speed = speed;
  }

  /** Long pauses are cut, or played as they were. The place in the recording stays. */
  set cutsPauses(cuts: boolean) {
    if (cuts === this.#cutsPauses) return;
    this.#cutsPauses = cuts;
    const before = this.#times[this.#next - 1] ?? 0;
    const into = Math.max(0, this.#at - before);
    this.#times = playedTimes(this.recording.events, cuts ? LONGEST_PAUSE : undefined);
    this.#at = (this.#times[this.#next - 1] ?? 0) + Math.min(into, this.#pause());
    this.events.changed();
  }

  play(): void {
    if (this.#playing) return;
    if (this.#next >= this.#times.length) this.seek(0);
    this.#playing = true;
    this.#tickAt = this.events.now();
    this.events.changed();
    this.#schedule();
  }

  pause(): void {
    this.#tick();
    this.#playing = false;
    this.events.changed();
  }

  /** Shows the recording as it was at that time. */
  seek(at: number): void {
    const wanted = Math.min(Math.max(0, at), this.length);
    if (wanted < this.#at) this.#rewind();
    this.#at = wanted;
    this.#tickAt = this.events.now();
    this.#show();
    this.events.changed();
  }

  /** When a command began, on the clock of this player; undefined when there is none of that id. */
  timeOf(id: string): number | undefined {
    const index = this.recording.events.findIndex((event) => event.kind === "command" && event.id === id);
    return index < 0 ? undefined : this.#times[index];
  }

  /** When the event of that number is played. */
  timeOfEvent(index: number): number {
    return this.#times[index] ?? 0;
  }

  #pause(): number {
    return (this.#times[this.#next] ?? this.length) - (this.#times[this.#next - 1] ?? 0);
  }

  #rewind(): void {
    this.screen.reset();
    this.screen.resize(this.recording.columns, this.recording.rows);
    this.#next = 0;
    this.#at = 0;
    this.#command = undefined;
  }

  #schedule(): void {
    if (!this.#playing || !this.#resting) return;
    this.#resting = false;
    this.events.later(() => {
      this.#resting = true;
      this.#tick();
      this.#schedule();
    });
  }

  #tick(): void {
    if (!this.#playing) return;
    const now = this.events.now();
    // What is not drawn yet is not hurried past.
    if (this.#drawing === 0) this.#at = Math.min(this.#at + (now - this.#tickAt) * this.#speed, this.length);
    this.#tickAt = now;
    this.#show();
    if (this.#next >= this.#times.length) this.#playing = false;
    this.events.changed();
  }

  /** Plays everything that is due. */
  #show(): void {
    let parts: Uint8Array[] = [];
    let length = 0;
    const flush = (): void => {
      if (length === 0) return;
      this.#drawing += 1;
      this.screen.write(joined(parts, length), () => (this.#drawing -= 1));
      parts = [];
      length = 0;
    };
    for (; this.#next < this.#times.length && (this.#times[this.#next] ?? 0) <= this.#at; this.#next += 1) {
      const event = this.recording.events[this.#next] as PlayedEvent;
      if (event.kind === "output") {
        parts.push(event.bytes);
        length += event.bytes.length;
        if (length >= LARGEST_WRITE) flush();
      } else if (event.kind === "resize") {
        flush();
        this.screen.resize(event.columns, event.rows);
      } else {
        this.#command = event.id;
      }
    }
    flush();
  }
}
