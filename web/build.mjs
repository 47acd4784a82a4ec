// SPDX-License-Identifier: BSD-2-Clause

// Makes the dashboard: what package-lock.json names is installed when it isn't yet, esbuild bundles src/, names get a
// hash of the content, everything is gzipped. With --c, a C file with the table of src/http/web.h comes of it, which
// takes the files in by .incbin; --depfile tells ninja what it was made from.
//
// usage: build.mjs --out FOLDER [--c FILE --depfile FILE] [--optional]
//
// node_modules stand beside this file, whichever folder is built in: two build folders install once. They are made
// aside and put in place by a rename, so that nobody sees half of them. --optional: when the packages are not to be had
// (no network), there is a table without files, and the page says so.

import {execFileSync} from "node:child_process";
import {createHash} from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import {fileURLToPath} from "node:url";
import {parseArgs} from "node:util";
import zlib from "node:zlib";

const here = path.dirname(fileURLToPath(import.meta.url));
const modules = path.join(here, "node_modules");
const PAGES = ["/", "/networks", "/paths", "/compare", "/incidents", "/routes", "/senders", "/routers"];
const TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
};

const digest = (data) => createHash("sha256").update(data).digest("hex");

function install() {
    const lock = digest(fs.readFileSync(path.join(here, "package-lock.json")));
    const stamp = path.join(modules, ".made-from");
    if (fs.existsSync(stamp) && fs.readFileSync(stamp, "utf8") === lock)
        return;
    const aside = fs.mkdtempSync(path.join(here, ".install-"));
    try {
        for (const name of ["package.json", "package-lock.json"])
            fs.copyFileSync(path.join(here, name), path.join(aside, name));
        execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            {cwd: aside, stdio: ["ignore", "ignore", "inherit"]});
        fs.writeFileSync(path.join(aside, "node_modules", ".made-from"), lock);
        fs.rmSync(modules, {recursive: true, force: true});
        fs.renameSync(path.join(aside, "node_modules"), modules);
    } finally {
        fs.rmSync(aside, {recursive: true, force: true});
    }
}

// The page in index.html, with the names that the bundles got.
function page(outputs) {
    const entry = (source) => {
        const found = Object.entries(outputs).find(([, o]) => o.entryPoint?.endsWith(source));
        return path.basename(found[0]);
    };
    const imports = Object.entries(outputs).filter(([, o]) => o.entryPoint?.endsWith("main.ts"))
        .flatMap(([, o]) => o.imports).filter((i) => i.kind === "import-statement");
    const preload = imports.map((i) => `<link rel="modulepreload" href="/web/${path.basename(i.path)}">`).join("\n");
    return fs.readFileSync(path.join(here, "src", "index.html"), "utf8")
        .replace("<!-- preload -->", preload)
        .replaceAll("{main.js}", "/web/" + entry("main.ts"))
        .replaceAll("{early.js}", "/web/" + entry("early.ts"))
        .replaceAll("{style.css}", "/web/" + entry("style.css"))
        .replaceAll("{icon.svg}", "/web/" + entry("icon.svg"));
}

// What the packages that are bundled ask to be told with them.
function licences(inputs) {
    const packages = [...new Set(inputs.map((i) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(i)?.[1]).filter(Boolean))].sort();
    return packages.map((name) => {
        const folder = path.join(modules, name);
        const {version, license} = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
        const texts = fs.readdirSync(folder).filter((f) => /^(licen[cs]e|notice|copyright)/i.test(f) && fs.statSync(path.join(folder, f)).isFile());
        return `==== ${name} ${version} (${license})\n\n${texts.map((f) => fs.readFileSync(path.join(folder, f), "utf8").trim()).join("\n\n")}\n`;
    }).join("\n");
}

// [{path, type, hashed, data}]
async function bundle(out) {
    const esbuild = await import("esbuild");
    const result = await esbuild.build({
        absWorkingDir: here,
        entryPoints: ["src/main.ts", "src/early.ts", "src/style.css", "src/icon.svg"],
        entryNames: "[name]-[hash]", chunkNames: "[name]-[hash]", assetNames: "[name]-[hash]",
        outdir: path.resolve(out, "web"),
        bundle: true, splitting: true, format: "esm", minify: true, metafile: true, write: false,
        target: ["chrome108", "firefox115", "safari16"],
        loader: {".svg": "copy"},
        legalComments: "none",
        logLevel: "warning",
        define: {"process.env.NODE_ENV": '"production"', __DEV__: "false"},
    });
    const files = result.outputFiles.map((f) => ({
        path: "/web/" + path.basename(f.path), hashed: true, data: Buffer.from(f.contents),
    }));
    const html = Buffer.from(page(result.metafile.outputs));
    for (const name of PAGES)
        files.push({path: name, hashed: false, data: html, html: true});
    const inputs = Object.keys(result.metafile.inputs);
    files.push({path: "/web/licences.txt", hashed: false, data: Buffer.from(licences(inputs))});
    return {files, inputs};
}

function write(out, files) {
    fs.rmSync(out, {recursive: true, force: true});
    fs.mkdirSync(path.join(out, "web"), {recursive: true});
    for (const file of files) {
        file.type = TYPES[file.html ? ".html" : path.extname(file.path)] ?? "application/octet-stream";
        file.packed = path.resolve(out, (file.html ? "index.html" : file.path.slice(1)) + ".gz");
        fs.writeFileSync(file.packed, zlib.gzipSync(file.data, {level: 9}));
    }
}

const quote = (text) => JSON.stringify(text); // nothing here needs more in C

function source(files, missing) {
    const packed = [...new Set(files.map((f) => f.packed))];
    const bodies = packed.map((file, i) => `extern const uint8_t web_${i}[], web_${i}_end[];\n` +
        `__asm__(".section .rodata\\n.global web_${i}\\n.global web_${i}_end\\n` +
        `web_${i}: .incbin \\"${file}\\"\\nweb_${i}_end: .byte 0\\n.previous\\n");\n`);
    const rows = files.map((f) => {
        const i = packed.indexOf(f.packed);
        const etag = `"${digest(f.data).slice(0, 20)}"`;
        return `\t{${quote(f.path)}, ${quote(f.type)}, ${quote(etag)}, web_${i}, web_${i}_end, ${f.data.length}, ` +
            `${f.hashed ? 1 : 0}},\n`;
    });
    const table = files.length ? `{\n${rows.join("")}}` : "{{0}}";
    return "/* SPDX-License-Identifier: BSD-2-Clause */\n\n/* Made by web/build.mjs. */\n\n" +
        `#include "http/web.h"\n\n${bodies.join("")}\nconst struct web_file web_files[] = ${table};\n` +
        `const size_t web_file_count = ${files.length};\nconst char web_missing[] = ${quote(missing)};\n`;
}

const {values: options} = parseArgs({options: {
    out: {type: "string"}, c: {type: "string"}, depfile: {type: "string"}, optional: {type: "boolean"},
}});
let files = [], inputs = [], missing = "";
try {
    install();
} catch (error) {
    if (!options.optional)
        throw error;
    missing = "The dashboard was left out when this collector was built: npm could not get its packages.";
    console.error(`${missing}\n${error.message}`);
}
if (!missing) {
    ({files, inputs} = await bundle(options.out));
    write(options.out, files);
}
if (options.c) {
    fs.writeFileSync(options.c, source(files, missing));
    // A file that was deleted would be asked for forever: ninja builds what is missing, and nothing makes these.
    const from = [...inputs.map((i) => path.resolve(here, i)).filter((i) => !i.startsWith(modules)),
        ...["build.mjs", "package-lock.json", "src/index.html"].map((i) => path.join(here, i)),
        // The packages were not to be had: asked for anew at the next build.
        ...missing ? [path.join(modules, ".made-from")] : []];
    fs.writeFileSync(options.depfile, `${options.c}: ${from.map((f) => f.replaceAll(" ", "\\ ")).join(" ")}\n`);
}
const sum = files.filter((f) => f.hashed).reduce((n, f) => n + fs.statSync(f.packed).size, 0);
if (!options.c)
    console.log(`${files.length} files, ${sum} bytes packed`);
