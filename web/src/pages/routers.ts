// SPDX-License-Identifier: BSD-2-Clause
import type {PageModule} from "../page";
export const routers: PageModule<null> = {title: "Routers", lead: "", bar: false, every: () => 0, load: async () => null, draw: () => null};
