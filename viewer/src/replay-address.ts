/** The address of a recorded session's replay, and of a place in it. */

/** A place in the record: in the output, or where nothing was printed, a moment. `text` stands there. */
export interface Place {
  readonly offset: number | null;
  readonly unix_ms: number;
  readonly text: string;
}

/** Longest text that is looked for at a place, in characters; a longer one is seldom on one row. */
const LONGEST_TEXT = 60;

export function replayAddress(record: { readonly instance_id: string; readonly session_id: string } & Partial<Place>): string {
  const address = `/r/${encodeURIComponent(record.instance_id)}/${encodeURIComponent(record.session_id)}`;
  if (record.unix_ms === undefined) return address;
  const fields = new URLSearchParams({ at: String(record.unix_ms) });
  if (typeof record.offset === "number") fields.set("offset", String(record.offset));
  const text = (record.text ?? "").trim().slice(0, LONGEST_TEXT);
  if (text !== "") fields.set("text", text);
  return `${address}#${fields}`;
}

/** The place that a page's fragment names; none in most. */
export function placeOf(fragment: string): Place | undefined {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const number = (name: string): number | undefined => {
    const text = fields.get(name) ?? "";
    return /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
  };
  const at = number("at");
  return at === undefined ? undefined : { offset: number("offset") ?? null, unix_ms: at, text: (fields.get("text") ?? "").slice(0, LONGEST_TEXT) };
}
