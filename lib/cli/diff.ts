import { Command } from 'commander';
import { diffRecords, OptionError, type RunRecord, readMetadata } from '../index.js';
import { print, printJson, say } from './output.js';

const recordIn = async (file: string): Promise<RunRecord> => {
  const { record } = await readMetadata(file);
  if (record) return record;
  throw new OptionError(
    'OPTION_CONFLICT',
    `${file} has no settings of this package`,
    'Give pictures that generate has written, without --no-metadata',
  );
};

const shown = (value: unknown): string => (value === undefined ? '(not there)' : JSON.stringify(value));

/** `diff <a> <b>`: which controls two pictures were made with differently. */
export const diffCommand = (): Command =>
  new Command('diff')
    .description('say which controls two pictures were made with differently')
    .argument('<a>', 'a picture of this package')
    .argument('<b>', 'another one')
    .option('--json', 'as JSON on stdout')
    .action(async (a: string, b: string, flags: { json?: boolean }) => {
      const { changes, several } = diffRecords(await recordIn(a), await recordIn(b));
      if (flags.json) return printJson({ changes, several });
      for (const change of changes) print(`${change.option}: ${shown(change.a)} -> ${shown(change.b)}`);
      if (changes.length === 0) say('the same settings');
      else if (several) say(`${changes.length} controls changed: what you see has no single cause`);
    });
