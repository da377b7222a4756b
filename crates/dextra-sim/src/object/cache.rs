//! Decompositions kept on disk by content hash.
//!
//! A file holds a magic line, the SHA-256 of its payload and the payload, all little-endian: hull count, then per hull the
//! vertex count, face count, coordinates (`f64`) and indices (`u32`). Files appear by rename, so a killed process
//! leaves at most a stray temporary file; anything unreadable is rebuilt.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use dextra_core::TriMesh;
use nalgebra::Point3;
use sha2::{Digest, Sha256};

use super::decompose::{ALGORITHM_VERSION, DecomposeConfig, decompose};
use super::error::ObjectError;

const MAGIC: &[u8; 16] = b"dextra hulls v1\n";

/// As [`decompose`], but looked up in (and added to) the directory `cache_dir`, which is created if need be.
///
/// A cache that cannot be read or written is reported as a warning and never fails the call.
///
/// # Errors
/// Those of [`decompose`].
pub fn decompose_cached(
    mesh: &TriMesh,
    config: &DecomposeConfig,
    cache_dir: &Path,
) -> Result<Vec<TriMesh>, ObjectError> {
    let path = cache_dir.join(format!("{}.hulls", key(mesh, config)));
    match std::fs::read(&path) {
        Ok(bytes) => match decode(&bytes) {
            Some(hulls) => return Ok(hulls),
            None => tracing::warn!("collision cache {} is corrupt: rebuilding it", path.display()),
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => {
            tracing::warn!("collision cache {} cannot be read ({e}): rebuilding it", path.display())
        }
    }
    let hulls = decompose(mesh, config)?;
    if let Err(e) = store(&path, &encode(&hulls)) {
        tracing::warn!("collision cache {} cannot be written: {e}", path.display());
    }
    Ok(hulls)
}

/// SHA-256 over the mesh, every setting and the version of the algorithm, in hexadecimal.
fn key(mesh: &TriMesh, config: &DecomposeConfig) -> String {
    let mut hash = Sha256::new();
    hash.update(ALGORITHM_VERSION.to_le_bytes());
    hash.update(config.key_bytes());
    hash.update(encode(std::slice::from_ref(mesh)));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Write beside the target and rename, so that readers see all of a file or none.
fn store(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{unique}.tmp", std::process::id()));
    let written = std::fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // Best effort: the first error is the one worth telling.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

fn encode(meshes: &[TriMesh]) -> Vec<u8> {
    let mut payload = (meshes.len() as u64).to_le_bytes().to_vec();
    for mesh in meshes {
        payload.extend((mesh.vertices.len() as u64).to_le_bytes());
        payload.extend((mesh.faces.len() as u64).to_le_bytes());
        payload
            .extend(mesh.vertices.iter().flat_map(|p| [p.x, p.y, p.z]).flat_map(f64::to_le_bytes));
        payload.extend(mesh.faces.iter().flatten().copied().flat_map(u32::to_le_bytes));
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend(Sha256::digest(&payload).iter());
    bytes.extend(payload);
    bytes
}

/// The meshes of [`encode`], or `None` if a single byte is wrong.
fn decode(bytes: &[u8]) -> Option<Vec<TriMesh>> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (digest, mut payload) = rest.split_at_checked(32)?;
    if Sha256::digest(payload)[..] != *digest {
        return None;
    }
    let payload = &mut payload;
    let hulls = read_u64(payload)?;
    let mut meshes = Vec::new();
    for _ in 0..hulls {
        let (vertices, faces) = (read_u64(payload)?, read_u64(payload)?);
        let mut mesh = TriMesh::default();
        for _ in 0..vertices {
            mesh.vertices.push(Point3::new(
                read_f64(payload)?,
                read_f64(payload)?,
                read_f64(payload)?,
            ));
        }
        for _ in 0..faces {
            mesh.faces.push([read_u32(payload)?, read_u32(payload)?, read_u32(payload)?]);
        }
        meshes.push(mesh);
    }
    payload.is_empty().then_some(meshes)
}

fn read_u64(from: &mut &[u8]) -> Option<u64> {
    from.split_off(..8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes)
}

fn read_f64(from: &mut &[u8]) -> Option<f64> {
    from.split_off(..8).and_then(|b| b.try_into().ok()).map(f64::from_le_bytes)
}

fn read_u32(from: &mut &[u8]) -> Option<u32> {
    from.split_off(..4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::shapes;

    #[test]
    fn second_call_reads_the_file_the_first_one_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let (mesh, config) = (shapes::bent_bar(), DecomposeConfig::default());
        let fresh = decompose_cached(&mesh, &config, dir.path()).unwrap();
        let file = dir.path().join(format!("{}.hulls", key(&mesh, &config)));
        assert_eq!(decode(&std::fs::read(&file).unwrap()).unwrap(), fresh);
        // A planted answer proves that the file, not the algorithm, is what is returned.
        let planted = vec![shapes::cuboid(0.01, 0.01, 0.01)];
        std::fs::write(&file, encode(&planted)).unwrap();
        assert_eq!(decompose_cached(&mesh, &config, dir.path()).unwrap(), planted);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn corrupt_entries_are_rebuilt() {
        let dir = tempfile::tempdir().unwrap();
        let (mesh, config) = (shapes::cuboid(0.05, 0.05, 0.05), DecomposeConfig::default());
        let fresh = decompose_cached(&mesh, &config, dir.path()).unwrap();
        let file = dir.path().join(format!("{}.hulls", key(&mesh, &config)));
        let good = std::fs::read(&file).unwrap();
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for bad in [&good[..good.len() / 2], &flipped, b"", b"not a cache"] {
            std::fs::write(&file, bad).unwrap();
            assert_eq!(decompose_cached(&mesh, &config, dir.path()).unwrap(), fresh);
            assert_eq!(std::fs::read(&file).unwrap(), good, "the entry is repaired");
        }
    }

    #[test]
    fn unwritable_cache_still_gives_hulls() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("file");
        std::fs::write(&blocked, b"in the way").unwrap();
        let hulls = decompose_cached(
            &shapes::cuboid(0.05, 0.05, 0.05),
            &DecomposeConfig::default(),
            &blocked,
        );
        assert_eq!(hulls.unwrap().len(), 1);
    }

    #[test]
    fn key_depends_on_mesh_and_every_setting() {
        let mesh = shapes::cuboid(0.05, 0.05, 0.05);
        let base = DecomposeConfig::default();
        let variants = [
            DecomposeConfig { tolerance_m: 0.003, ..base.clone() },
            DecomposeConfig { probe_radius_m: 0.003, ..base.clone() },
            DecomposeConfig { max_hulls: 16, ..base.clone() },
            DecomposeConfig { max_vertices: 20, ..base.clone() },
            DecomposeConfig { min_thickness_m: 0.003, ..base.clone() },
            DecomposeConfig { simplify_m: 0.001, ..base.clone() },
            DecomposeConfig { max_faces: 5_000, ..base.clone() },
            DecomposeConfig { grid_points: 100_000, ..base.clone() },
        ];
        let mut keys: Vec<String> = variants.iter().map(|c| key(&mesh, c)).collect();
        keys.push(key(&mesh, &base));
        keys.push(key(&shapes::cuboid(0.05, 0.05, 0.051), &base));
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 10);
    }
}
