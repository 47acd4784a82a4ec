// SPDX-License-Identifier: BSD-2-Clause

// Names for where an answer has numbers only, in tables of routers and in AS paths: those of ASes that carry traffic, asked for once.

import {ask, type Answer} from "./api";
import * as words from "./words";

let named: Promise<void> | null = null;

async function learn(): Promise<void> {
    const answer = await ask<Answer>("top", {by: "via", last: "6h", limit: "2000", fields: "bytes_sent"}).catch(() => null);
    words.learn(answer?.rows ?? []);
}

export const learnNames = (): Promise<void> => named ??= learn();
