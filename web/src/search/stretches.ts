/** A day as 2026-11-21, or a minute of one as 2026-11-21T14:30; of UTC, so that an address means the same everywhere. */

/** What the API takes for a moment, one day less. */
export const FIRST_DAY = "1000-01-01";
export const LAST_DAY = "9998-12-31";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const DAY_LENGTH = FIRST_DAY.length;
const DAY = /^\d{4}-\d\d-\d\d$/;
const MINUTE = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)$/;
/** As the API is asked. */
const MOMENT = /^(\d{4}-\d\d-\d\dT\d\d:\d\d):00Z$/;

/** Undefined for what is neither a day nor a minute. */
export function stretchIn(text: string): string | undefined {
  const [, day = text, time] = MINUTE.exec(text) ?? [];
  const told = time === undefined ? day : `${day}T${time}`;
  return isDay(day) && day >= FIRST_DAY && day <= LAST_DAY && isTime(time) ? told : undefined;
}

export const isMinute = (stretch: string): boolean => stretch.includes("T");

export const beginMs = (stretch: string): number => Date.parse(isMinute(stretch) ? `${stretch}Z` : stretch);

/** It is over where the next one begins. */
export const endMs = (stretch: string): number => beginMs(stretch) + (isMinute(stretch) ? MINUTE_MS : DAY_MS);

/** Where it begins, as the API has it. */
export const momentOf = (stretch: string): string => (isMinute(stretch) ? `${stretch}:00Z` : stretch);

export const after = (stretch: string): string => written(endMs(stretch), stretch);

export const before = (stretch: string): string => written(beginMs(stretch) - (endMs(stretch) - beginMs(stretch)), stretch);

/** What begins at a moment of the API's; null for one between two minutes. */
export function begunAt(moment: string): string | null {
  const [, minute] = MOMENT.exec(moment) ?? [];
  const told = minute ?? moment;
  return isDay(told.slice(0, DAY_LENGTH)) && isTime(minute?.slice(DAY_LENGTH + 1)) && (minute !== undefined || DAY.test(moment)) ? told : null;
}

export const wordsOfStretch = (stretch: string): string => stretch.replace("T", " ");

/** As long as another one is. */
const written = (ms: number, like: string): string => new Date(ms).toISOString().slice(0, like.length);

/** Not the 30th of February, which a `Date` takes for a day in March. */
const isDay = (text: string): boolean => DAY.test(text) && !Number.isNaN(Date.parse(text)) && written(Date.parse(text), text) === text;

const isTime = (text: string | undefined): boolean => text === undefined || /^([01]\d|2[0-3]):[0-5]\d$/.test(text);
