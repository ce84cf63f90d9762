/** What each role may do, so that the page leaves out what the host would refuse. */

import { element } from "./dom";
import type { Role } from "./protocol";

export function mayDrive(role: Role): boolean {
  return role === "operator" || role === "driver";
}

export function mayApprove(role: Role): boolean {
  return role === "operator" || role === "approver";
}

/** What a person's link is for; the owner's own needs no word. */
export function roleBadge(role: Role): HTMLElement {
  const words = { operator: "", observer: "observer", driver: "driver", approver: "approver" }[role];
  const badge = element("span", { class: "role-badge", title: "What your link allows" }, words);
  badge.hidden = words === "";
  return badge;
}
