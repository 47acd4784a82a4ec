// SPDX-License-Identifier: BSD-2-Clause

// The throughput as it is billed (docs/api.md): which percentile is asked for, and what is said of it.

import type {Throughput} from "./api";
import {duration} from "./units";

export const PERCENTILE = 95;

const SAMPLE_S = 300;
const SAMPLES_MIN = 20; // of fewer none is left out, and the percentile is the highest

// Null where there are too few samples for it to say anything.
export const billed = (t: Throughput | undefined): Throughput | null => t && t.samples >= SAMPLES_MIN ? t : null;

// With a star where it is not what a bill has.
export const name = (t: Throughput): string => `p${t.percentile}${t.step > SAMPLE_S ? "*" : ""}`;

export function explained(t: Throughput): string {
    const wide = t.step > SAMPLE_S ? ` * Minutes are not kept so long, so it is of means over ${duration(t.step)}: lower than a bill, which is of five minutes.` : "";
    return `95th percentile, as transit is billed: of ${t.samples} means over ${duration(t.step)} the highest 5 % are left out, and this is the highest that is left. ` +
        `Payload: headers and what was sent again come on top.${wide}`;
}
