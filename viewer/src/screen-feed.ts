/**
 * Brings what the host sends onto a screen in the right order, and says how far the drawing is.
 *
 * Writing to a terminal takes time while resetting and resizing act at once; so everything waits in
 * one line here, and neighbouring writes are joined. It knows the protocol's offsets, not xterm.js.
 */

import { joined } from "./bytes";
import { ACKNOWLEDGE_EVERY, type AttachedMessage, type OutputFrame } from "./protocol";

/** What is drawn on. */
export interface Screen {
  reset(): void;
  resize(columns: number, rows: number): void;
  /** Calls `drawn` once the bytes have been taken in. */
  write(bytes: Uint8Array, drawn: () => void): void;
  /** Draws the screen over the output before it, whose marked places stay. */
  writeOver(bytes: Uint8Array, drawn: () => void): void;
}

export interface FeedEvents {
  /** Everything before `offset` is drawn; due to be told to the host. */
  acknowledge(offset: number): void;
}

type Step =
  | { readonly kind: "write"; readonly parts: Uint8Array[]; length: number; end: number; readonly snapshot: boolean }
  | { readonly kind: "reset"; readonly columns: number; readonly rows: number }
  | { readonly kind: "resize"; readonly columns: number; readonly rows: number }
  | { readonly kind: "acknowledge"; readonly offset: number }
  | { readonly kind: "mark"; readonly place: () => void };

interface Mark {
  readonly offset: number;
  readonly place: () => void;
}

/** Writes are joined up to this many bytes; xterm.js takes that in within a few frames. */
const LARGEST_WRITE = 256 * 1024;

export class ScreenFeed {
  #steps: Step[] = [];
  #drawing = false;
  #expected: number | undefined;
  /** Where the snapshot is due that has not come yet. */
  #snapshotAt: number | undefined;
  #acknowledged = 0;
  /** Counts attachments, so that a write of an earlier one cannot acknowledge for a later one. */
  #attachment = 0;
  /** Places that the output has not reached. */
  #marks: Mark[] = [];

  constructor(
    private readonly screen: Screen,
    private readonly events: FeedEvents,
  ) {}

  /** Where the output was when the socket was lost; undefined where the screen has not been whole yet. */
  position: number | undefined;

  /** A new attachment: what waits is out of date, and the snapshot follows behind the history. Or the old one goes on. */
  attached(message: AttachedMessage): void {
    this.#attachment += 1;
    this.#expected = message.history_from;
    if (message.cause === "resumed") {
      this.#steps.push({ kind: "resize", columns: message.columns, rows: message.rows });
      this.#steps.push({ kind: "acknowledge", offset: message.history_from });
    } else {
      this.#marks = [];
      this.#steps = [{ kind: "reset", columns: message.columns, rows: message.rows }];
      this.#snapshotAt = message.offset;
    }
    this.#acknowledged = message.history_from;
    this.#advance();
  }

  /** The socket is gone: frames before the next attachment make no sense. */
  detached(): void {
    if (this.#expected === undefined) return;
    this.position = this.#snapshotAt === undefined ? this.#expected : undefined;
    this.#expected = undefined;
  }

  resized(columns: number, rows: number): void {
    this.#steps.push({ kind: "resize", columns, rows });
    this.#advance();
  }

  /** Calls `place` when exactly the output before `offset` is drawn; never when that has passed already. */
  mark(offset: number, place: () => void): void {
    if (this.#expected === undefined || offset < this.#expected) return;
    if (offset === this.#expected && this.#snapshotAt === undefined) {
      this.#steps.push({ kind: "mark", place });
      this.#advance();
      return;
    }
    this.#marks.push({ offset, place });
    this.#marks.sort((left, right) => left.offset - right.offset);
  }

  /** Answers false when output is missing and only a new attachment can help. */
  output(frame: OutputFrame): boolean {
    if (this.#expected === undefined || frame.offset > this.#expected) return false;
    if (this.#snapshotAt !== undefined && this.#expected === this.#snapshotAt) {
      if (frame.offset !== this.#snapshotAt) return false;
      this.#snapshotAt = undefined;
      this.#write(frame.bytes, frame.offset, true);
      this.#placeMarks(this.#expected);
      return true;
    }
    let fresh = frame.bytes.subarray(this.#expected - frame.offset);
    const end = this.#expected + fresh.length;
    for (;;) {
      const before = this.#snapshotAt === undefined ? end + 1 : Math.min(end + 1, this.#snapshotAt);
      const next = this.#marks[0];
      if (next === undefined || next.offset >= before) break;
      const length = next.offset - this.#expected;
      this.#pass(fresh.subarray(0, length));
      fresh = fresh.subarray(length);
      this.#placeMarks(next.offset);
    }
    this.#pass(fresh);
    return true;
  }

  #pass(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#expected === undefined) return;
    this.#expected += bytes.length;
    this.#write(bytes, this.#expected, false);
  }

  #placeMarks(offset: number): void {
    while (this.#marks[0] !== undefined && this.#marks[0].offset <= offset) {
      const [{ place }] = this.#marks.splice(0, 1) as [Mark];
      this.#steps.push({ kind: "mark", place });
    }
    this.#advance();
  }

  #write(bytes: Uint8Array, end: number, snapshot: boolean): void {
    const last = this.#steps.at(-1);
    if (last?.kind === "write" && !last.snapshot && !snapshot && last.length + bytes.length <= LARGEST_WRITE) {
      last.parts.push(bytes);
      last.length += bytes.length;
      last.end = end;
    } else {
      this.#steps.push({ kind: "write", parts: [bytes], length: bytes.length, end, snapshot });
    }
    this.#advance();
  }

  #advance(): void {
    while (!this.#drawing) {
      const step = this.#steps.shift();
      if (step === undefined) return;
      switch (step.kind) {
        case "reset":
          this.screen.reset();
          this.screen.resize(step.columns, step.rows);
          break;
        case "resize":
          this.screen.resize(step.columns, step.rows);
          break;
        case "acknowledge":
          this.events.acknowledge(step.offset);
          break;
        case "mark":
          step.place();
          break;
        case "write": {
          const attachment = this.#attachment;
          const drawn = (): void => {
            this.#drawing = false;
            if (attachment === this.#attachment) this.#drawn(step.end, step.snapshot);
            this.#advance();
          };
          this.#drawing = true;
          const bytes = joined(step.parts, step.length);
          if (step.snapshot) this.screen.writeOver(bytes, drawn);
          else this.screen.write(bytes, drawn);
          break;
        }
      }
    }
  }

  #drawn(offset: number, snapshot: boolean): void {
    if (snapshot || offset - this.#acknowledged >= ACKNOWLEDGE_EVERY) {
      this.#acknowledged = offset;
      this.events.acknowledge(offset);
    }
  }
}
