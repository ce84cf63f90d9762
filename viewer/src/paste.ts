/** What a person's clipboard may do to a terminal. */

/** Control characters that a paste has no use for; an ESC could end bracketed paste early. */
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;

/** The text without control characters, tabs and line ends kept. */
export function safePaste(text: string): string {
  return text.replace(CONTROLS, "");
}

/** Several lines run one after the other unless the program takes a paste as a whole. */
export function pasteNeedsConsent(text: string, bracketedPaste: boolean): boolean {
  return !bracketedPaste && /[\r\n]/.test(text.trimEnd());
}
