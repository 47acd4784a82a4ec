// SPDX-License-Identifier: BSD-2-Clause
import type {PageModule} from "../page";
export const routes: PageModule<null> = {title: "Routes", lead: "", bar: false, every: () => 0, load: async () => null, draw: () => null};
