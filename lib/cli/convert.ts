import { Command, InvalidArgumentError, Option } from 'commander';
import { type ConvertOptions, type ConvertResult, convert, type MergeLora, merge } from '../index.js';
import { CONVERT, MERGE_LORA } from '../options/table/convert.js';
import { bytesText, print, printJson, say } from './output.js';
import { convertProgress } from './progress.js';

interface Flags extends Pick<ConvertOptions, 'dtype' | 'overwrite' | 'allowNonFinite'> {
  readonly json?: boolean;
  readonly lora?: readonly MergeLora[];
}

const written = async (
  { json, lora: _, ...options }: Flags,
  write: (options: ConvertOptions) => Promise<ConvertResult>,
): Promise<void> => {
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once('SIGINT', interrupt);
  const shown = convertProgress();
  try {
    const result = await write({ ...options, onProgress: shown.event, signal: stop.signal });
    shown.end();
    for (const { code, message } of result.warnings) say(`${code}: ${message}`);
    if (json) return printJson(result);
    say(`${bytesText(result.bytes)} of weights`);
    print(result.path);
  } finally {
    shown.end();
    process.off('SIGINT', interrupt);
  }
};

/** `file`, or `file:scale`. */
const lora = (text: string, before: readonly MergeLora[] = []): readonly MergeLora[] => {
  const [, file = text, scale] = /^(.+):([-+]?[\d.]+)$/.exec(text) ?? [];
  if (scale !== undefined && Number.isNaN(Number(scale))) throw new InvalidArgumentError('Expected file:scale.');
  return [...before, { file, ...(scale !== undefined && { scale: Number(scale) }) }];
};

const { dtype, overwrite, allowNonFinite } = CONVERT.rows;

const command = (name: string, says: string): Command =>
  new Command(name)
    .description(says)
    .argument('<source>', 'a diffusers folder, one checkpoint file, or the name of a fetched model')
    .argument('<target>', 'a name that ends in .safetensors for one file, or a folder')
    .addOption(new Option('--dtype <type>', `${dtype.says} (default: ${dtype.default})`).choices([...dtype.names]))
    .option('--overwrite', overwrite.says)
    .option('--allow-non-finite', allowNonFinite.says)
    .option('--json', 'the result as JSON on stdout');

/** `convert <source> <target>`: a model in its other form. */
export const convertCommand = (): Command =>
  command('convert', 'write a model as one checkpoint file or as a diffusers folder').action(
    (source: string, target: string, flags: Flags) => written(flags, (options) => convert(source, target, options)),
  );

/** `merge <source> <target> --lora file:scale`: the same with LoRAs in its weights. */
export const mergeCommand = (): Command =>
  command('merge', 'write a model with LoRAs merged into its weights')
    .addOption(
      new Option('--lora <file:scale>', `${MERGE_LORA.rows.file.says} and its strength; may be repeated`)
        .argParser(lora)
        .makeOptionMandatory(),
    )
    .action((source: string, target: string, flags: Flags) =>
      written(flags, (options) => merge(source, flags.lora ?? [], target, options)),
    );
