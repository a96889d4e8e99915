// A BullMQ worker with one job per email: worker.mjs CONCURRENCY
import { Worker } from 'bullmq';
import { Pool } from 'undici';
import { connection, QUEUE } from './queue.mjs';

const concurrency = Number(process.argv[2]);
const pool = new Pool(process.env.PROVIDER_URL, { connections: concurrency, pipelining: 1 });
const headers = { authorization: 'Bearer SG.key', 'content-type': 'application/json' };
// The texts of bench/lists.py.
const words = 'Our summer collection is here, and so are the prices that you have been waiting for. '.repeat(11);
const escape = (text) => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

function render({ campaign_id, row, email, fields: { first_name: name, city } }) {
  const html = `<html><body><h1>Dear ${escape(name)}</h1><p>${words}</p><p>${escape(city)}</p></body></html>`;
  return JSON.stringify({
    personalizations: [{ to: [{ email }] }],
    from: { email: 'news@shop.test', name: 'News' },
    subject: `${name}, news from ${city}`,
    content: [
      { type: 'text/plain', value: `Dear ${name},\n${words}\n${city}\n` },
      { type: 'text/html', value: html },
    ],
    custom_args: { campaign_id, row: String(row) },
  });
}

async function send(job) {
  const response = await pool.request({ path: '/v3/mail/send', method: 'POST', headers, body: render(job.data) });
  await response.body.dump();
  if (response.statusCode !== 202) throw new Error(`status ${response.statusCode}`);
}

const worker = new Worker(QUEUE, send, { connection, concurrency });
worker.on('error', (error) => console.error(error));
process.on('SIGTERM', () => process.exit(0));
