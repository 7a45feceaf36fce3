//! What is stuck on a device, read as a phone reads it.

use serde_json::json;

use crate::world::{Answer, World};

#[tokio::test]
async fn a_label_is_read_as_the_devices_id() {
    let world = World::new().await;
    let id = world.make("/api/v1/devices", &json!({"kind": "gateway", "name": "Door, left: Söller"})).await;
    let path = format!("/api/v1/devices/{id}/label.png");
    let response = world.signed("GET", &path).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"image/png".parse().unwrap())
    );
    let png = response.bytes().await.unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let (width, height) = (info.width as usize, info.height as usize);
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| pixels[y * width + x]);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    assert_eq!(grids[0].decode().unwrap().1, id);
    let dark_rows = |from: usize| pixels[from * width..].chunks(width).filter(|row| row.contains(&0)).count();
    assert!(height > width && dark_rows(width) > 20, "its name and its id are under it");

    world
        .get("/api/v1/devices/01890a5d-ac96-774b-bcce-b302099a8057/label.png")
        .await
        .refused(404, "not-found");
    let foreign = world.foreign_key().await;
    Answer::to(world.request("GET", &path).bearer_auth(&foreign)).await.refused(404, "not-found");
    world.stop().await;
}
