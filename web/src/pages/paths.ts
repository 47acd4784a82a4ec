// SPDX-License-Identifier: BSD-2-Clause
import type {PageModule} from "../page";
export const paths: PageModule<null> = {title: "Paths", lead: "", bar: false, every: () => 0, load: async () => null, draw: () => null};
