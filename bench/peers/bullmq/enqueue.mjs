// Puts jobs on the queue, 500 per round trip. They come as JSON lines on the standard input.
import { createInterface } from 'node:readline';
import { Queue } from 'bullmq';
import { connection, QUEUE } from './queue.mjs';

const queue = new Queue(QUEUE, { connection, defaultJobOptions: { removeOnComplete: true, attempts: 3 } });
let jobs = [];
const flush = async () => { await queue.addBulk(jobs); jobs = []; };
for await (const line of createInterface({ input: process.stdin })) {
  jobs.push({ name: 'send', data: JSON.parse(line) });
  if (jobs.length === 500) await flush();
}
if (jobs.length) await flush();
await queue.close();
process.exit(0);
