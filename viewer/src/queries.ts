/**
 * Makes a terminal in the browser mute. The host alone answers what programs ask a terminal; if
 * every open page answered too, its answers would arrive as if a person had typed them.
 *
 * Also keeps the clipboard out of reach of remote output (OSC 52).
 */

import type { IDisposable, IFunctionIdentifier, IParser } from "@xterm/xterm";

/** Reports of device, status, modes, keyboard, version and window, with the sequences that ask. */
const CSI_QUERIES: readonly IFunctionIdentifier[] = [
  { final: "c" }, // DA1
  { prefix: ">", final: "c" }, // DA2
  { prefix: "=", final: "c" }, // DA3
  { final: "n" }, // DSR, cursor position
  { prefix: "?", final: "n" }, // DECDSR
  { intermediates: "$", final: "p" }, // DECRQM, ANSI modes
  { prefix: "?", intermediates: "$", final: "p" }, // DECRQM, private modes
  { prefix: "?", final: "u" }, // kitty keyboard
  { prefix: ">", final: "q" }, // XTVERSION
  { final: "t" }, // window and title reports
  { final: "x" }, // DECREQTPARM
];

const DCS_QUERIES: readonly IFunctionIdentifier[] = [
  { intermediates: "$", final: "q" }, // DECRQSS
  { intermediates: "+", final: "q" }, // XTGETTCAP
];

/** Colours may be set by a program but not asked for. */
const OSC_COLOURS: readonly number[] = [4, 5, 10, 11, 12, 13, 14, 17, 19];

const OSC_CLIPBOARD = 52;

/** What a terminal sends by itself when focus reporting is on. */
const FOCUS_REPORTS: ReadonlySet<string> = new Set(["\x1b[I", "\x1b[O"]);

export function swallowQueries(parser: IParser): IDisposable {
  const swallow = (): boolean => true;
  const handlers = [
    ...CSI_QUERIES.map((id) => parser.registerCsiHandler(id, swallow)),
    ...DCS_QUERIES.map((id) => parser.registerDcsHandler(id, swallow)),
    ...OSC_COLOURS.map((id) => parser.registerOscHandler(id, asksForColour)),
    parser.registerOscHandler(OSC_CLIPBOARD, swallow),
  ];
  return {
    dispose(): void {
      for (const handler of handlers) handler.dispose();
    },
  };
}

/** Whether terminal data comes from a person and not from the terminal itself. */
export function isTyped(data: string): boolean {
  return !FOCUS_REPORTS.has(data);
}

function asksForColour(data: string): boolean {
  return data.split(";").includes("?");
}
