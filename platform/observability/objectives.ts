import { readSlos, type Slo, type SloProblem } from "./openslo.ts";

/** A service as far as its objectives go: who owns it, and which commit its default branch is at. */
export interface SloOwner {
  service: string;
  owner: string | null;
  repository: string;
  commit: string;
}

/** Where objectives come from: the catalog and the forge, as the server hands them in. */
export interface SloSource {
  /** One service or all that have a repository. */
  services(service?: string): Promise<SloOwner[]>;
  /** The text of slo.yaml at a commit; undefined where there is none. */
  read(repository: string, commit: string): Promise<string | undefined>;
}

export interface Objectives extends SloOwner {
  present: boolean;
  slos: Slo[];
  problems: SloProblem[];
}

/** Reads each service's slo.yaml once for each commit. */
export class ObjectivesReader {
  readonly #source: SloSource;
  readonly #read = new Map<string, Objectives>();

  constructor(source: SloSource) {
    this.#source = source;
  }

  /** Undefined where the service has no repository here. */
  async of(service: string): Promise<Objectives | undefined> {
    const [owner] = await this.#source.services(service);
    return owner && this.#objectivesOf(owner);
  }

  async all(): Promise<Objectives[]> {
    const owners = await this.#source.services();
    const services = new Set(owners.map(({ service }) => service));
    for (const service of this.#read.keys()) if (!services.has(service)) this.#read.delete(service);
    const found: Objectives[] = [];
    for (const owner of owners) found.push(await this.#objectivesOf(owner)); // one after another: the forge has more to do
    return found;
  }

  async #objectivesOf(owner: SloOwner): Promise<Objectives> {
    const known = this.#read.get(owner.service);
    if (known?.commit === owner.commit && known.repository === owner.repository) return { ...known, owner: owner.owner };
    const text = await this.#source.read(owner.repository, owner.commit);
    const read = {
      ...owner,
      present: text !== undefined,
      ...(text === undefined ? { slos: [], problems: [] } : readSlos(text, owner.service)),
    };
    this.#read.set(owner.service, read);
    return read;
  }
}
