/** Text that may hold anything, cut into parts to show: what cannot be seen is told apart from what can. */

/** A part of a text as it is shown. */
export interface Part {
  readonly text: string;
  /** Stands for a character that would not be seen, or would turn the text around. */
  readonly escaped: boolean;
  /** A rule names this part as its cause. */
  readonly marked: boolean;
}

/** Bytes of the text in UTF-8: from, and one past the last. */
export type Span = readonly [number, number];

/** Controls, format and direction marks, blanks that pass for another, lone surrogates, private use. */
const UNSEEN = /^[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]$/u;
const ODD_BLANK = /^(?:(?! )\p{Zs}|[\u115f\u1160\u2800\u3164\uffa0\ufe00-\ufe0f])$/u;

/** The text in parts, in order; together they stand for all of it. */
export function parts(text: string, spans: readonly Span[]): Part[] {
  const found: { text: string; escaped: boolean; marked: boolean }[] = [];
  let at = 0;
  for (const character of text) {
    const size = utf8Length(character);
    const marked = spans.some(([from, to]) => at < to && at + size > from);
    at += size;
    const shown = visible(character);
    const escaped = shown !== character;
    const last = found.at(-1);
    if (last !== undefined && last.escaped === escaped && last.marked === marked && !last.text.endsWith("\n")) last.text += shown;
    else found.push({ text: shown, escaped, marked });
  }
  return found;
}

/** A line's end is shown and kept; everything else unseen is shown as its number. */
function visible(character: string): string {
  if (character === "\n") return "⏎\n";
  if (character === "\t") return "⇥\t";
  if (!UNSEEN.test(character) && !ODD_BLANK.test(character)) return character;
  const number = character.codePointAt(0) ?? 0;
  return `⟨U+${number.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

function utf8Length(character: string): number {
  const number = character.codePointAt(0) ?? 0;
  if (number < 0x80) return 1;
  if (number < 0x800) return 2;
  return number < 0x10000 ? 3 : 4;
}
