/**
 * One xterm.js terminal on the page: its size is the host's, its scale is the page's.
 *
 * It never answers queries, opens links only on purpose, and hands a person's typing on as bytes.
 * It knows neither sockets nor messages.
 */

import { SearchAddon } from "@xterm/addon-search";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { type IMarker, Terminal, type ITheme } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";

import { element } from "./dom";
import { isTyped, swallowQueries } from "./queries";
import { drawFast } from "./renderer";
import { pasteNeedsConsent, safePaste } from "./paste";
import type { Screen } from "./screen-feed";
import { isLight, onThemeChange } from "./theme";

const FONT = 'ui-monospace, "Cascadia Mono", "JetBrains Mono", "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
const FIRST_FONT = 14;
const SMALLEST_FONT = 8;
const LARGEST_FONT = 32;
/** Above this, fitting makes a small terminal look like a poster. */
const LARGEST_FITTED_FONT = 18;
/** Room kept to the right of the place that is typed at, in pixels; a few letters and the frame. */
const CURSOR_MARGIN = 64;
/** How long after a key the page follows the cursor, in milliseconds; the echo comes from afar. */
const FOLLOW_TIME = 2_000;
const SCROLLBACK_LINES = 10_000;
const FONT_KEY = "font-size";

const DARK: ITheme = {
  background: "#0d1417", foreground: "#d6e1e1", cursor: "#4fb3a5", cursorAccent: "#0d1417", selectionBackground: "#2f6f6a99",
  black: "#26343a", red: "#f07178", green: "#8fce7a", yellow: "#e8c46a", blue: "#6cb2f0", magenta: "#c99bf0", cyan: "#5fd0c5", white: "#d6e1e1",
  brightBlack: "#71868e", brightRed: "#ff9a9f", brightGreen: "#b1e69f", brightYellow: "#ffdf94", brightBlue: "#9bceff", brightMagenta: "#dfbfff", brightCyan: "#93ebe2", brightWhite: "#ffffff",
};

const LIGHT: ITheme = {
  background: "#fcfdfd", foreground: "#1c2a30", cursor: "#1f7a70", cursorAccent: "#fcfdfd", selectionBackground: "#9fd6cc99",
  black: "#1c2a30", red: "#b3261e", green: "#2c7a1f", yellow: "#8a6100", blue: "#1b62b5", magenta: "#8436b5", cyan: "#0d7269", white: "#b9c6c9",
  brightBlack: "#5b6e76", brightRed: "#c9382f", brightGreen: "#388f29", brightYellow: "#9d7000", brightBlue: "#2a74cc", brightMagenta: "#974bc8", brightCyan: "#14857b", brightWhite: "#e4ebec",
};

export interface TerminalEvents {
  /** A person typed or pasted. */
  typed(bytes: Uint8Array<ArrayBuffer>): void;
  /** A person wants to search. */
  search(): void;
  /** The pointer is over a link of the remote side, or no longer. */
  link(address: string | undefined): void;
}

export class TerminalView implements Screen {
  readonly #terminal: Terminal;
  /** The part of the page that the terminal has to fit into, and scrolls in when it does not. */
  readonly #frame: HTMLElement;
  /** As large as the terminal. */
  readonly #mount = element("div", { class: "terminal-mount" });
  readonly #encoder = new TextEncoder();
  /** What a person chose; undefined while the terminal fits itself to the page. */
  #chosenFont: number | undefined;
  readonly #search = new SearchAddon();
  /** Places in the output, by the id of what began there. */
  readonly #marks = new Map<string, IMarker>();

  constructor(frame: HTMLElement, private readonly events: TerminalEvents) {
    this.#frame = frame;
    const kept = Number(localStorage.getItem(FONT_KEY) ?? NaN);
    if (kept >= SMALLEST_FONT && kept <= LARGEST_FONT) this.#chosenFont = kept;
    this.#terminal = new Terminal({
      allowProposedApi: true,
      cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      fontFamily: FONT,
      fontSize: FIRST_FONT,
      lineHeight: 1.15,
      scrollback: SCROLLBACK_LINES,
      // Screen readers hear output only through the accessible tree that this builds.
      screenReaderMode: localStorage.getItem("screen-reader") === "on",
      minimumContrastRatio: 4.5,
      macOptionIsMeta: true,
      linkHandler: {
        activate: (event, address) => this.#followLink(event, address),
        hover: (_, address) => this.events.link(address),
        leave: () => this.events.link(undefined),
      },
    });
    this.#terminal.loadAddon(this.#search);
    this.#terminal.loadAddon(new Unicode11Addon());
    this.#terminal.unicode.activeVersion = "11";
    // Addresses that stand in the text; those that a program marks as links go the same way.
    const shown = { hover: (_: MouseEvent, address: string) => this.events.link(address), leave: () => this.events.link(undefined) };
    this.#terminal.loadAddon(new WebLinksAddon((event, address) => this.#followLink(event, address), shown));
    swallowQueries(this.#terminal.parser);
    this.#terminal.onData((data) => {
      if (isTyped(data)) this.events.typed(this.#encoder.encode(data));
    });
    this.#terminal.onBinary((data) => this.events.typed(Uint8Array.from(data, (it) => it.charCodeAt(0) & 0xff)));
    frame.append(this.#mount);
    this.#terminal.open(this.#mount);
    drawFast(this.#terminal, this.#mount);
    this.#terminal.attachCustomKeyEventHandler((event) => this.#ownKey(event));
    this.#guardPaste();
    this.#followTyping();
    this.#followTheme();
    new ResizeObserver(() => this.#scale()).observe(frame, { box: "border-box" });
  }

  reset(): void {
    for (const mark of this.#marks.values()) mark.dispose();
    this.#marks.clear();
    this.#terminal.reset();
  }

  /** Remembers that `id` begins where the cursor is now. */
  mark(id: string): void {
    if (this.#marks.has(id)) return;
    this.#setMark(id, 0);
  }

  #setMark(id: string, offset: number): void {
    const mark = this.#terminal.registerMarker(offset);
    // On the alternate screen there is nothing that stays.
    if (mark === undefined) return;
    this.#marks.set(id, mark);
    mark.onDispose(() => {
      if (this.#marks.get(id) === mark) this.#marks.delete(id);
    });
  }

  /** Shows where `id` began; false where that is no longer kept. */
  showMark(id: string): boolean {
    const mark = this.#marks.get(id);
    if (mark === undefined || mark.line < 0) return false;
    this.#terminal.scrollToLine(Math.max(0, mark.line - 1));
    this.#terminal.selectLines(mark.line, mark.line);
    return true;
  }

  showEnd(): void {
    this.#terminal.clearSelection();
    this.#terminal.scrollToBottom();
  }

  /** Draws the screen over the output before it, as the host has it. Clearing would drop the places in it. */
  writeOver(bytes: Uint8Array, drawn: () => void): void {
    const buffer = this.#terminal.buffer.normal;
    const lines = [...this.#marks].map(([id, mark]) => ({ id, above: buffer.baseY - mark.line }));
    this.#terminal.write(bytes, () => {
      const cursor = this.#terminal.buffer.normal.cursorY;
      for (const { id, above } of lines) {
        if (!this.#marks.has(id)) this.#setMark(id, -above - cursor);
      }
      drawn();
    });
  }

  /** Searches from the newest line on upwards, or on from where the last search ended. */
  find(text: string, forward: boolean): boolean {
    if (text === "") {
      this.#search.clearDecorations();
      this.#terminal.clearSelection();
      return true;
    }
    const colours = isLight() ? { all: "#e8c46a", one: "#f0a030" } : { all: "#5a4a10", one: "#a06a00" };
    const decorations = { matchBackground: colours.all, activeMatchBackground: colours.one, matchOverviewRuler: colours.all, activeMatchColorOverviewRuler: colours.one };
    return forward ? this.#search.findNext(text, { decorations }) : this.#search.findPrevious(text, { decorations });
  }

  endSearch(): void {
    this.#search.clearDecorations();
  }

  get selection(): string {
    return this.#terminal.getSelection();
  }

  /** Puts what is selected on the clipboard; false where nothing is, or it may not. */
  async copy(): Promise<boolean> {
    const text = this.selection;
    if (text === "") return false;
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  }

  /** Keys that are the page's own; answers whether xterm.js should have it. */
  #ownKey(event: KeyboardEvent): boolean {
    if (event.type !== "keydown" || !event.ctrlKey || !event.shiftKey) return true;
    if (event.code === "KeyC") void this.copy();
    else if (event.code === "KeyF") this.events.search();
    else return true;
    event.preventDefault();
    return false;
  }

  resize(columns: number, rows: number): void {
    this.#terminal.resize(columns, rows);
    this.#scale();
  }

  write(bytes: Uint8Array, drawn: () => void): void {
    this.#terminal.write(bytes, drawn);
  }

  focus(): void {
    this.#terminal.focus();
  }

  /** Types as if the key had been pressed. */
  press(data: string): void {
    this.#terminal.input(data);
  }

  /** The sequence of an arrow key, which depends on what the running program asked for. */
  arrow(direction: "A" | "B" | "C" | "D"): string {
    return (this.#terminal.modes.applicationCursorKeysMode ? "\x1bO" : "\x1b[") + direction;
  }

  set readOnly(readOnly: boolean) {
    this.#terminal.options.disableStdin = readOnly;
    this.#terminal.options.cursorBlink = !readOnly;
  }

  get screenReader(): boolean {
    return this.#terminal.options.screenReaderMode === true;
  }

  set screenReader(on: boolean) {
    this.#terminal.options.screenReaderMode = on;
    localStorage.setItem("screen-reader", on ? "on" : "off");
  }

  /** Makes the letters larger or smaller by `step` pixels. */
  zoom(step: number): void {
    this.#chosenFont = clamp(this.#font + step, SMALLEST_FONT, LARGEST_FONT);
    localStorage.setItem(FONT_KEY, String(this.#chosenFont));
    this.#scale();
  }

  /** Goes back to the size at which the whole terminal is seen. */
  fit(): void {
    this.#chosenFont = undefined;
    localStorage.removeItem(FONT_KEY);
    this.#scale();
  }

  #scale(): void {
    const font = this.#chosenFont ?? this.#fittingFont();
    if (font !== undefined) this.#setFont(font);
  }

  #setFont(font: number): void {
    if (font === this.#font) return;
    this.#terminal.options.fontSize = font;
    // Letters do not grow evenly with their size, so the result is looked at once it is drawn.
    const drawn = this.#terminal.onRender(() => {
      drawn.dispose();
      const room = this.#room();
      if (this.#chosenFont !== undefined || room === undefined || room >= 1) return;
      this.#setFont(Math.max(this.#font - 0.5, SMALLEST_FONT));
    });
  }

  get #font(): number {
    return this.#terminal.options.fontSize ?? FIRST_FONT;
  }

  /** The largest letters at which every column and row is in view, if they stay readable. */
  #fittingFont(): number | undefined {
    const room = this.#room();
    if (room === undefined) return undefined;
    return clamp(Math.floor(this.#font * room * 2) / 2, SMALLEST_FONT, LARGEST_FITTED_FONT);
  }

  /**
   * How much larger the terminal could be. Scroll bars are left out of account: they come and go
   * with the size that is chosen here, and would chase it for ever.
   */
  #room(): number | undefined {
    const screen = this.#mount.querySelector<HTMLElement>(".xterm-screen");
    if (screen === null || screen.offsetWidth === 0 || screen.offsetHeight === 0) return undefined;
    const style = getComputedStyle(this.#frame);
    const width = this.#frame.offsetWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const height = this.#frame.offsetHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    const across = (width - (this.#mount.offsetWidth - screen.offsetWidth)) / screen.offsetWidth;
    const down = (height - (this.#mount.offsetHeight - screen.offsetHeight)) / screen.offsetHeight;
    return Math.min(across, down);
  }

  #followLink(event: MouseEvent, address: string): void {
    // A plain click belongs to selecting and to the program; remote output must not lead a person
    // away by surprise.
    if (!(event.ctrlKey || event.metaKey) || !/^https?:\/\//i.test(address)) return;
    window.open(address, "_blank", "noopener,noreferrer");
  }

  /**
   * Where the frame is narrower than the terminal, keeps the place that is typed at in view. Only
   * soon after a key: what others do must not move the page under a person who reads.
   */
  #followTyping(): void {
    let typedAt = -Infinity;
    this.#terminal.onData(() => (typedAt = performance.now()));
    this.#terminal.onCursorMove(() => {
      // xterm.js keeps its text field under the cursor, for input methods.
      const field = this.#terminal.textarea;
      if (field === undefined || performance.now() - typedAt > FOLLOW_TIME) return;
      const line = field.offsetLeft + CURSOR_MARGIN;
      this.#frame.scrollLeft = Math.max(0, line - this.#frame.clientWidth);
    });
  }

  #guardPaste(): void {
    // Before xterm.js sees it: on the way down, not up.
    this.#frame.addEventListener("paste", (event) => {
      event.preventDefault();
      event.stopPropagation();
      const text = safePaste(event.clipboardData?.getData("text/plain") ?? "");
      const bracketed = this.#terminal.modes.bracketedPasteMode;
      if (pasteNeedsConsent(text, bracketed) && !confirm(`Paste ${text.split(/\r\n?|\n/).length} lines? Each one runs as it arrives.\n\n${text.slice(0, 300)}`)) return;
      this.#terminal.paste(text);
    }, { capture: true });
    // A dropped file would make the browser leave the page.
    for (const name of ["dragover", "drop"]) {
      this.#frame.addEventListener(name, (event) => event.preventDefault());
    }
  }

  #followTheme(): void {
    const apply = (): void => {
      this.#terminal.options.theme = isLight() ? LIGHT : DARK;
    };
    onThemeChange(apply);
    apply();
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
