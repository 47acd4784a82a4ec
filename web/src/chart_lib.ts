// SPDX-License-Identifier: BSD-2-Clause

// The parts of ECharts that are used; loaded when the first chart is drawn.

import {LineChart, MapChart, SankeyChart, ScatterChart} from "echarts/charts";
import {BrushComponent, GeoComponent, GridComponent, MarkLineComponent, TooltipComponent} from "echarts/components";
import {init, registerMap, use} from "echarts/core";
import {CanvasRenderer} from "echarts/renderers";

use([LineChart, MapChart, SankeyChart, ScatterChart, BrushComponent, GeoComponent, GridComponent, MarkLineComponent, TooltipComponent,
    CanvasRenderer]);

export {init, registerMap};
