import { Command } from 'commander';
import { devices } from '../index.js';
import { print, printJson } from './output.js';

/** `devices`: where networks can run on this machine. */
export const devicesCommand = (): Command =>
  new Command('devices')
    .description('list what networks can run on')
    .option('--json', 'as JSON on stdout')
    .action(async (flags: { json?: boolean }) => {
      const found = await devices();
      if (flags.json) return printJson(found);
      for (const device of found) {
        print(`${device.id}  ${device.usable ? `${device.isa} (levels: ${device.levels.join(', ')})` : device.reason}`);
      }
    });
