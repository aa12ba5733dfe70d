import { type SchemaSection, schemaSections } from '../../../shared/envelope/schema-object.ts';
import { creationOrder, steadyOrder } from './dependency-order.ts';
import type { DescribedObject } from './described-object.ts';
import type { ObjectGraph } from './object-graph.ts';

/** An object in its place: what it needs stands before it. */
export interface ArrangedObject {
  readonly object: DescribedObject;
  readonly section: SchemaSection;
  /** Places of the objects that it needs, rising. */
  readonly needs: readonly number[];
}

/** Objects that rows need: they cannot wait for what comes after the rows. */
const beforeRows = new Set(['table', 'sequence', 'inheritance', 'partition', 'table settings']);

/** Puts the objects of a graph in the order of creation, section by section, circles broken. */
export function arrange(graph: ObjectGraph): ArrangedObject[] {
  graph.breakCircles();
  const sections = sectionsOf(graph);
  const nodes = graph.nodes();
  const order = schemaSections.flatMap((section) => {
    const inSection = (node: string) => sections.get(node) === section;
    const needs = new Map(nodes.filter(inSection).map((node) => [node, [...graph.needs(node)].filter(inSection)]));
    return steadyOrder([...needs.keys()], needs);
  });
  const places = new Map(order.map((node, place) => [node, place]));
  return order.map((node, place) => ({
    object: graph.object(node),
    section: sections.get(node) ?? 'pre-data',
    needs: [...graph.needs(node)]
      .map((need) => places.get(need) ?? place)
      .filter((need) => need < place)
      .sort((a, b) => a - b),
  }));
}

/** What needs an object of a later section comes in that section too; not so what rows need. */
function sectionsOf(graph: ObjectGraph): Map<string, SchemaSection> {
  for (;;) {
    const sections = laterSections(graph);
    const waiting = [...sections.keys()].filter(
      (node) => sections.get(node) !== 'pre-data' && beforeRows.has(graph.object(node).kind),
    );
    if (waiting.length === 0 || !freeFromViews(graph, waiting, sections)) return sections;
  }
}

function laterSections(graph: ObjectGraph): Map<string, SchemaSection> {
  const sections = new Map<string, SchemaSection>();
  const nodes = graph.nodes();
  const needs = new Map(nodes.map((node) => [node, [...graph.needs(node)]]));
  for (const node of creationOrder(nodes, needs)) {
    const places = [node, ...(needs.get(node) ?? [])].map((other) =>
      schemaSections.indexOf(other === node ? graph.object(node).section : (sections.get(other) ?? 'pre-data')),
    );
    sections.set(node, schemaSections[Math.max(...places)] ?? 'pre-data');
  }
  return sections;
}

/** Views that have to wait, and that rows need the row type of, are made with their columns alone at first. */
function freeFromViews(
  graph: ObjectGraph,
  waiting: readonly string[],
  sections: ReadonlyMap<string, SchemaSection>,
): boolean {
  const needed = new Set<string>();
  const queue = [...waiting];
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    if (needed.has(node) || sections.get(node) === 'pre-data') continue;
    needed.add(node);
    queue.push(...graph.needs(node));
  }
  const views = [...needed].filter((node) => graph.object(node).kind === 'view' && graph.partsOf(node).length > 0);
  const whole = views.filter((view) => !graph.nodes().includes(graph.partsOf(view)[0]?.key ?? ''));
  for (const view of whole) {
    graph.takeApart(
      view,
      graph.partsOf(view).map(({ key }) => key),
      needed,
    );
  }
  return whole.length > 0;
}
