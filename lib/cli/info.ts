import { Command } from 'commander';
import { inspect } from '../index.js';
import { bytesText, print, printJson } from './output.js';

/** `info <file>`: what a weight file is, from its header alone. */
export const infoCommand = (): Command =>
  new Command('info')
    .description('say what a weight file is: kind, variant, tensors, licence')
    .argument('<file>', 'a .safetensors, .bin, .ckpt, .pt or .onnx file')
    .option('--json', 'as JSON on stdout')
    .option('--tensors', 'list every tensor')
    .action(async (file: string, flags: { json?: boolean; tensors?: boolean }) => {
      const found = await inspect(file);
      if (flags.json) return printJson(found);
      print(`${file}`);
      print(`  ${found.format}, ${found.kind}, ${bytesText(found.bytes)}, ${found.tensors.length} tensors`);
      if (found.variant) {
        print(`  variant ${found.variant.name} for ${found.variant.family}: ${found.variant.summary}`);
        print(`  licence: ${found.variant.licence}`);
      }
      print(`  sha256 ${found.sha256}`);
      for (const warning of found.warnings) print(`  ${warning.code}: ${warning.message}`);
      if (flags.tensors) {
        for (const t of found.tensors) print(`  ${t.dtype.padEnd(5)} [${t.shape.join(', ')}]  ${t.name}`);
      }
    });
