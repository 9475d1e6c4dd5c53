// The job that everybody runs: it does nothing, and carries 200 bytes as compact JSON.

const PAYLOAD_BYTES = 200;

// As many digits as a time of this century has, so that all payloads are of one size.
export const TIMELESS = 1_000_000_000_000_000;

const text = "x".repeat(PAYLOAD_BYTES - JSON.stringify({ at: TIMELESS, text: "" }).length);

export const timeless = () => ({ at: TIMELESS, text });

// A payload that tells when it was submitted, in microseconds since 1970.
export const now = () => ({ at: nowUs(), text });

export const many = (count) => Array.from({ length: count }, timeless);

export function nowUs() {
  return Math.floor((performance.timeOrigin + performance.now()) * 1000);
}
