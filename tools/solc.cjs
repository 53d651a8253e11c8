#!/usr/bin/env node
// npm's Solidity compiler behind the command line of the native one, as far as py-solc-x,
// Brownie and `forge --use` ask for it: `--version`, and standard JSON from stdin to stdout.
"use strict";

const fs = require("fs");
const path = require("path");
const solc = require("solc");

const VALUED = ["--base-path", "--include-path", "--allow-paths"];

function parse(argv) {
  const options = { flags: new Set(), folders: [] };
  for (let i = 0; i < argv.length; i++) {
    const [name, inline] = argv[i].split(/=(.*)/s);
    const value = VALUED.includes(name) ? inline ?? argv[++i] : undefined;
    if (name === "--base-path" || name === "--include-path") options.folders.push(value);
    else options.flags.add(name);
  }
  options.folders.push(process.cwd());
  return options;
}

// Brownie sends only the project's own sources, so what they import is read from here.
function reader(folders) {
  return (name) => {
    for (const folder of folders) {
      const file = path.resolve(folder, name);
      if (fs.existsSync(file)) return { contents: fs.readFileSync(file, "utf8") };
    }
    return { error: `no file ${name} in ${folders.join(", ")}` };
  };
}

const options = parse(process.argv.slice(2));
if (options.flags.has("--version")) {
  console.log("solc, the solidity compiler commandline interface");
  console.log(`Version: ${solc.version()}`);
} else if (options.flags.has("--standard-json")) {
  const input = fs.readFileSync(0, "utf8");
  process.stdout.write(solc.compile(input, { import: reader(options.folders) }) + "\n");
} else {
  console.error("usage: solc --version | solc --standard-json < input.json");
  process.exitCode = 2;
}
