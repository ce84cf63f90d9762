/**
 * Who may type, and what a person does to a session beside typing: take and hand over, the setting, stop, close and
 * the policy's mode. What a role does not allow is left out; the host refuses it in any case.
 */

import { button, element, setText } from "./dom";
import type { Done } from "./host-api";
import { type ControlRequest, INPUT_MODES, type InputMode, type Role, type SessionSummary } from "./protocol";
import { mayApprove, mayDrive } from "./roles";
import { inputText, policyText } from "./words";

export interface ControlEvents {
  control(request: ControlRequest): Promise<Done>;
  say(text: string): void;
  /** A person wants only to watch, or to type again. */
  observe(observes: boolean): void;
}

const MODE_WORDS: Record<InputMode, string> = {
  auto: "auto: your typing holds the agent off",
  common: "common: both type",
  human: "human: only persons",
  agent: "agent: only the agent",
};

export class ControlBar {
  readonly element: HTMLElement;
  readonly #holder = element("span", { class: "holder", role: "status" });
  readonly #mode = element("select", { "aria-label": "Who may type", title: "Who may type" });
  readonly #take: HTMLButtonElement;
  readonly #handOver: HTMLButtonElement;
  readonly #policy: HTMLButtonElement;
  readonly #observe = element("input", { type: "checkbox" });
  #session: SessionSummary | undefined;

  constructor(private readonly role: Role, private readonly events: ControlEvents) {
    for (const mode of INPUT_MODES) this.#mode.append(element("option", { value: mode }, MODE_WORDS[mode]));
    this.#mode.addEventListener("change", () => void this.#setMode(this.#mode.value as InputMode));
    this.#take = button("Take", "Take the input: the agent waits until you hand it over", () => void this.#takeOver());
    this.#handOver = button("Hand over", "Hand the input over to the agent", () => void this.#ask({ type: "hand_over" }));
    const stop = button("Stop", "Stop what runs: Control C", () => void this.#ask({ type: "interrupt" }));
    const close = button("Close", "Close the session", () => void this.#close());
    close.classList.add("deny");
    this.#policy = button("", "Policy", () => void this.#turnPolicy());
    this.#observe.addEventListener("change", () => this.events.observe(this.#observe.checked));
    const observe = element("label", { class: "observe", title: "Nothing you press reaches the session" }, this.#observe, "Only watch");
    const driving = mayDrive(role) ? [this.#mode, this.#take, this.#handOver, stop, observe, close] : [];
    this.element = element("div", { class: "control", role: "group", "aria-label": "Control" }, this.#holder, ...driving, this.#policy);
    this.#policy.disabled = !mayApprove(role);
  }

  show(session: SessionSummary): void {
    this.#session = session;
    const { holder, mode } = session.input;
    setText(this.#holder, inputText(session.input));
    this.#holder.dataset["holder"] = holder ?? "none";
    this.#mode.value = mode;
    const taken = holder === "human" && session.input.because !== "typing";
    this.#take.hidden = taken;
    this.#handOver.hidden = !taken;
    setText(this.#policy, policyText(session.policy_mode));
    this.#policy.setAttribute("aria-label", `${policyText(session.policy_mode)}, how strictly lines are judged`);
    this.#policy.title = "How strictly lines are judged";
    this.#policy.dataset["mode"] = session.policy_mode;
    this.#policy.disabled = !mayApprove(this.role) || !["safe", "full"].includes(session.policy_mode);
    for (const it of this.element.querySelectorAll<HTMLButtonElement>("button, select, input")) {
      if (session.closed_reason !== null) it.disabled = true;
    }
  }

  async #takeOver(): Promise<void> {
    const done = await this.events.control({ type: "take", force: false });
    if (typeof done === "object" && "held" in done) {
      if (confirm(`${done.held}.\n\nTake the input by force?`)) await this.#ask({ type: "take", force: true });
    } else {
      this.#tell(done);
    }
  }

  async #setMode(mode: InputMode): Promise<void> {
    await this.#ask({ type: "mode", mode });
    // What the host has settled on, also when it said no.
    if (this.#session !== undefined) this.#mode.value = this.#session.input.mode;
  }

  async #close(): Promise<void> {
    if (confirm("Close this session? What runs in it is cut off.")) await this.#ask({ type: "close" });
  }

  async #turnPolicy(): Promise<void> {
    const mode = this.#session?.policy_mode === "full" ? "safe" : "full";
    const question = "Set the policy to full? The agent may then run much that is refused or asked about now, until the session ends or you set it back.";
    if (mode === "safe" || confirm(question)) await this.#ask({ type: "policy_mode", mode });
  }

  async #ask(request: ControlRequest): Promise<void> {
    this.#tell(await this.events.control(request));
  }

  #tell(done: Done): void {
    if (done === "done") return;
    this.events.say("held" in done ? done.held : done.problem);
  }
}
