"""Training and measure of the toy diffusion model that the package ships."""
