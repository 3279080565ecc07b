import { Command } from 'commander';
import { type Device, devices } from '../index.js';
import { cardText, print, printJson } from './output.js';

const textOf = (device: Device): string => {
  if (!device.usable) return device.reason;
  return device.id === 'cpu' ? `${device.isa} (levels: ${device.levels.join(', ')})` : cardText(device);
};

/** `devices`: where networks can run on this machine. */
export const devicesCommand = (): Command =>
  new Command('devices')
    .description('list what networks can run on')
    .option('--json', 'as JSON on stdout')
    .action(async (flags: { json?: boolean }) => {
      const found = await devices();
      if (flags.json) return printJson(found);
      for (const device of found) print(`${device.id}  ${textOf(device)}`);
    });
