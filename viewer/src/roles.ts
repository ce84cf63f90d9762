/** What each role may do, so that the page leaves out what the host would refuse. */

import { element } from "./dom";
import type { Role } from "./protocol";

export function mayDrive(role: Role): boolean {
  return role === "operator" || role === "driver";
}

export function mayApprove(role: Role): boolean {
  return role === "operator" || role === "approver";
}

/** Who a person is to the host, and what for. */
export interface Caller {
  readonly role: Role;
  /** As a proxy has named them. */
  readonly user: string | null;
}

/** What a person may do here; the owner's own link needs no word. */
export function roleBadge({ role, user }: Caller): HTMLElement {
  const words = user === null ? (role === "operator" ? "" : role) : `${user}: ${role}`;
  const badge = element("span", { class: "role-badge", title: "What you may do here" }, words);
  badge.hidden = words === "";
  return badge;
}
