#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { USAGE_EXIT } from "./cli/terminal.ts";
import { addVerbs } from "./cli/verbs.ts";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

const program = new Command("quern")
  .description("Makes neural-network weights small on the wire and fast in memory.")
  .version(version)
  .exitOverride()
  .addHelpText(
    "after",
    `
Plans say what is done to each tensor, in order:
  raw                               bytes as they are
  lossless                          dtype kept, bytes entropy-coded
  int8 channel > auto               one scale per output channel, best code per chunk (the default)
  prune 0.8 > int8 channel > zrl    zero the 80 % smallest weights, then zero-run coding
  int4 group 32 asymmetric > huffman
  int8 like int4 > smallest         one step with no more error than int4 makes, in the fewest bytes
  int8 snr 30dB                     the coarsest step with a signal-to-noise ratio of 30 dB (also: rmse X, bits X, step X)
Small tensors (1-D, below 1024 elements, or not floating point) stay lossless unless the plan says otherwise.

Examples:
  quern pack model.safetensors -o model.quern
  quern pack model.safetensors -o model.quern --plan "int4 group 32 > auto" --plan-for "head.*=int8 channel > auto"
  quern pack model.safetensors -o model.quern --plan "int8 bits 3.5 > smallest"
  quern pack model.safetensors -o model.quern --plan "int8 > smallest" --total-size 2MB --report
  quern inspect model.quern
  quern diff model.safetensors model.quern
  quern compare model.safetensors -o model.html
  quern evaluate model.onnx model.quern --data images.npy --labels classes.npy --scale 1/255
  quern compress model.onnx --data images.npy --goal size --max-loss 1% -o model.quern
  quern calibrate model.onnx --data images.npy --scale 1/255 -o model.quern
  quern tune net/model.json --data images.npy --labels classes.npy -o net.quern --plan "int8 bits 2 > smallest" --with-graph
  quern classify net.quern --data images.npy
  quern unpack model.quern -o back.safetensors
  quern unpack model.quern -o small.onnx --graph model.onnx

Exit codes: 0 done, 1 bad input (the message says where), 2 wrong usage, 130 interrupted.`,
  );

// Who reads may have seen enough before all is written, as `head` has: no more is said, and the verb ends as it does.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

addVerbs(program);
try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // --help and --version arrive here too, with exit code 0.
  process.exitCode = error.exitCode === 0 ? 0 : USAGE_EXIT;
}
