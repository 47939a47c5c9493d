/** A state in place of content: nothing there, something failed. */

import type { ComponentChildren, VNode } from "preact";

import type { Problem } from "../client/contract.ts";
import type { IconName } from "./icons.tsx";
import { Icon } from "./icons.tsx";

export interface NoticeProps {
  icon: IconName;
  title: string;
  children?: ComponentChildren;
  testid?: string;
}

export function Notice({ icon, title, children, testid }: NoticeProps): VNode {
  return (
    <div class="notice" data-testid={testid}>
      <Icon name={icon} />
      <h2>{title}</h2>
      <div class="notice-body">{children}</div>
    </div>
  );
}

export function Failure({ problem, onRetry }: { problem: Problem; onRetry?: (() => void) | undefined }): VNode {
  const wait = problem.retry_after_s === undefined ? "" : ` Try again in ${problem.retry_after_s} s.`;
  return (
    <div class="notice notice-bad" role="alert" data-testid="failed">
      <Icon name="alert" />
      <h2>{problem.title}</h2>
      <div class="notice-body">
        {problem.detail !== problem.title && problem.detail && <p>{problem.detail}</p>}
        {wait !== "" && <p>{wait}</p>}
        {onRetry && (
          <button type="button" onClick={onRetry} data-testid="retry">
            Try again
          </button>
        )}
      </div>
    </div>
  );
}
