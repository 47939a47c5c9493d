/** The few line drawings that the pages use; all of them decoration beside text or a label. */

import type { VNode } from "preact";

const PATHS = {
  brand: "M3 18l6-8 4 5 3-3.5 5 6.5M16.5 8.2a1.9 1.9 0 1 0 0-3.8 1.9 1.9 0 0 0 0 3.8z",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5L20 20",
  close: "M6 6l12 12M18 6L6 18",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 2.5-2.5L20 17M15.5 9.5h.01",
  key: "M14.5 14a5 5 0 1 0-4.6-3L4 17v3h3.5v-2H10v-2.5l1.5-1.6a5 5 0 0 0 3 .1zM16 8.5h.01",
  previous: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  similar: "M4 4h7v7H4zM13 13h7v7h-7zM13 4h7v7h-7zM4 13h7v7H4z",
  alert: "M12 4l9 16H3zM12 10v4M12 17h.01",
  empty: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5L20 20M8.5 8.5l4 4M12.5 8.5l-4 4",
  plus: "M12 5v14M5 12h14",
  controls: "M4 7h8M18 7h2M4 17h2M12 17h8M15 10a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM9 20a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  good: "M5 12.5l4.5 4.5L19 7.5",
  bad: "M6 12h12",
  group: "M9 4h11v11M4 9h11v11H4zM4 20L15 9",
  hide: "M4 4l16 16M9.5 5.6A9.8 9.8 0 0 1 12 5.2c5 0 8.5 4.3 9.5 6.8a13 13 0 0 1-3 4.2M6.3 7.6A13.500 13.5 0 0 0 2.5 12c1 2.500 4.500 6.800 9.500 6.800a9.600 9.600 0 0 0 4-.9M10 10a2.900 2.900 0 0 0 4 4",
  place: "M12 21c-4-4.6-6.5-7.9-6.5-11.1a6.5 6.5 0 0 1 13 0c0 3.2-2.5 6.5-6.5 11.1zM12 12.2a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6z",
  plug: "M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): VNode {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
