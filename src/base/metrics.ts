// Counters and gauges for the operator, in Prometheus' format.
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    webhooks: new Counter({
      name: 'inbox_webhooks_total',
      help: 'Webhooks by provider and outcome',
      labelNames: ['provider', 'outcome'] as const,
      registers,
    }),
    webhookSeconds: new Histogram({
      name: 'inbox_webhook_seconds',
      help: 'Time from the last byte of a webhook to its acknowledgement',
      labelNames: ['provider'] as const,
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
      registers,
    }),
    ignoredEvents: new Counter({
      name: 'inbox_events_ignored_total',
      help: 'Events that change nothing, by provider and reason',
      labelNames: ['provider', 'reason'] as const,
      registers,
    }),
    upstream: new Counter({
      name: 'inbox_upstream_calls_total',
      help: 'Calls to vendors by outcome',
      labelNames: ['service', 'outcome'] as const,
      registers,
    }),
    jobs: new Counter({
      name: 'inbox_jobs_total',
      help: 'Finished runs of jobs by task and outcome',
      labelNames: ['task', 'outcome'] as const,
      registers,
    }),
    queueAge: new Gauge({
      name: 'inbox_queue_age_seconds',
      help: 'Age of the oldest job that is due',
      registers,
    }),
    historyFindings: new Counter({
      name: 'inbox_history_findings_total',
      help: 'What the daily look at the notes found: forgotten, stuck, changed, doubled',
      labelNames: ['finding'] as const,
      registers,
    }),
    parked: new Gauge({ name: 'inbox_jobs_parked', help: 'Jobs that were given up on', registers }),
    tokenBudget: new Gauge({
      name: 'inbox_pipedrive_tokens_remaining',
      help: 'Pipedrive API tokens left today, as the last answer said, whichever company it was for',
      registers,
    }),
    tokensSpent: new Counter({
      name: 'inbox_pipedrive_tokens_total',
      help: 'Pipedrive API tokens that our calls have cost, by what they were for',
      labelNames: ['feature'] as const,
      registers,
    }),
    streams: new Gauge({ name: 'inbox_streams_open', help: 'Open event streams', registers }),
  };
}
