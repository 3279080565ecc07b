import { Command } from 'commander';
import { readMetadata } from '../index.js';
import { print, printJson, say } from './output.js';

/** `metadata <file>`: how a picture was made, from what its file says. */
export const metadataCommand = (): Command =>
  new Command('metadata')
    .description('read the settings that a picture was made with')
    .argument('<file>', 'a PNG, JPEG or WebP of this package or of the AUTOMATIC1111 web UI')
    .option('--json', 'as JSON on stdout')
    .action(async (file: string, flags: { json?: boolean }) => {
      const { record, parameters } = await readMetadata(file);
      if (flags.json) return printJson({ record, parameters });
      if (record) printJson(record);
      else if (parameters !== undefined) print(parameters);
      else say(`${file} says nothing of how it was made`);
    });
