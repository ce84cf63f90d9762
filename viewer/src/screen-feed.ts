/**
 * Brings what the host sends onto a screen in the right order, and says how far the drawing is.
 *
 * Writing to a terminal takes time while resetting and resizing act at once; so everything waits in
 * one line here, and neighbouring writes are joined. It knows the protocol's offsets, not xterm.js.
 */

import { ACKNOWLEDGE_EVERY, type AttachedMessage, type OutputFrame } from "./protocol";

/** What is drawn on. */
export interface Screen {
  reset(): void;
  resize(columns: number, rows: number): void;
  /** Calls `drawn` once the bytes have been taken in. */
  write(bytes: Uint8Array, drawn: () => void): void;
}

export interface FeedEvents {
  /** Everything before `offset` is drawn; due to be told to the host. */
  acknowledge(offset: number): void;
}

type Step =
  | { readonly kind: "write"; readonly parts: Uint8Array[]; length: number; end: number; readonly snapshot: boolean }
  | { readonly kind: "reset"; readonly columns: number; readonly rows: number }
  | { readonly kind: "resize"; readonly columns: number; readonly rows: number };

/** Writes are joined up to this many bytes; xterm.js takes that in within a few frames. */
const LARGEST_WRITE = 256 * 1024;

export class ScreenFeed {
  #steps: Step[] = [];
  #drawing = false;
  #expected: number | undefined;
  #snapshotDue = false;
  #acknowledged = 0;
  /** Counts attachments, so that a write of an earlier one cannot acknowledge for a later one. */
  #attachment = 0;

  constructor(
    private readonly screen: Screen,
    private readonly events: FeedEvents,
  ) {}

  /** A new attachment: what waits is out of date, the next frame is the snapshot. */
  attached(message: AttachedMessage): void {
    this.#attachment += 1;
    this.#steps = [{ kind: "reset", columns: message.columns, rows: message.rows }];
    this.#snapshotDue = true;
    this.#expected = message.offset;
    this.#acknowledged = message.offset;
    this.#advance();
  }

  /** The socket is gone: frames before the next attachment make no sense. */
  detached(): void {
    this.#expected = undefined;
  }

  resized(columns: number, rows: number): void {
    this.#steps.push({ kind: "resize", columns, rows });
    this.#advance();
  }

  /** Answers false when output is missing and only a new attachment can help. */
  output(frame: OutputFrame): boolean {
    if (this.#expected === undefined || frame.offset > this.#expected) return false;
    if (this.#snapshotDue) {
      if (frame.offset !== this.#expected) return false;
      this.#snapshotDue = false;
      this.#write(frame.bytes, frame.offset, true);
      return true;
    }
    const fresh = frame.bytes.subarray(this.#expected - frame.offset);
    if (fresh.length > 0) {
      this.#expected += fresh.length;
      this.#write(fresh, this.#expected, false);
    }
    return true;
  }

  #write(bytes: Uint8Array, end: number, snapshot: boolean): void {
    const last = this.#steps.at(-1);
    if (last?.kind === "write" && !last.snapshot && last.length + bytes.length <= LARGEST_WRITE) {
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
        case "write": {
          const attachment = this.#attachment;
          this.#drawing = true;
          this.screen.write(joined(step.parts, step.length), () => {
            this.#drawing = false;
            if (attachment === this.#attachment) this.#drawn(step.end, step.snapshot);
            this.#advance();
          });
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

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
