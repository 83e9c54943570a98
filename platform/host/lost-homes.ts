import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { placesElsewhere } from "@cairn/agent/client.ts";
import { places } from "../kernel/config.ts";
import { buildsElsewhere } from "../kernel/other-users.ts";

/** A home that is not there any more, and what of it still is. */
interface LostHome {
  home: string;
  folders: string[];
}

/** Homes that were removed by hand, by the data which they left where other users can reach it: PostgreSQL's folder there names the home it is of. */
export async function lostHomes(elsewhere = "/var/lib/cairn"): Promise<LostHome[]> {
  const lost: LostHome[] = [];
  for (const name of await readdir(elsewhere).catch(() => [])) {
    const folder = join(elsewhere, name);
    const home = await readlink(join(folder, "home")).catch(() => undefined);
    if (home === undefined || (await there(home))) continue;
    const folders = [folder];
    for (const other of [...placesElsewhere(home), buildsElsewhere(join(places(home).ci, "work"))])
      if (other !== folder && (await there(other))) folders.push(other);
    lost.push({ home, folders });
  }
  return lost;
}

const there = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );
