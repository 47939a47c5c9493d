/** What stands at the top of every page: where one is, and how to get elsewhere. */

import type { ComponentChildren, VNode } from "preact";

import { Icon } from "./icons.tsx";

export type PageName = "search" | "dashboard" | "docs";

const PAGES: readonly [PageName, string, string][] = [
  ["search", "./", "Search"],
  ["dashboard", "./dashboard", "Dashboard"],
  ["docs", "./docs", "API"],
];

export interface HeaderProps {
  page: PageName;
  onForgetKey?: (() => void) | undefined;
  children?: ComponentChildren;
}

export function Header({ page, onForgetKey, children }: HeaderProps): VNode {
  return (
    <header class="top">
      <a class="brand" href="./">
        <Icon name="brand" />
        <span>Clipline</span>
      </a>
      <div class="top-middle">{children}</div>
      {onForgetKey && (
        <button type="button" class="quiet" onClick={onForgetKey} data-testid="forget-key" title="Forget the API key">
          <Icon name="key" />
          <span class="wide-only">Forget key</span>
        </button>
      )}
      <nav aria-label="Pages">
        {PAGES.map(([name, href, label]) => (
          <a key={name} href={href} aria-current={name === page ? "page" : undefined}>
            {label}
          </a>
        ))}
      </nav>
    </header>
  );
}
