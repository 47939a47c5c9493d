/** A sentence of the description, its `code` set as such. */

import type { VNode } from "preact";

export function Prose({ text }: { text: string }): VNode {
  const parts = text.split("`");
  // Between the first and second backtick, the third and fourth, and so on, stands code.
  return <>{parts.map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}</>;
}
